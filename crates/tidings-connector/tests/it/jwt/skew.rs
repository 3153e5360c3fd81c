//! Clocks may differ by 300 seconds.

use tidings_connector::jwt::RefusalReason as Reason;

use super::{Door, START};

#[tokio::test]
async fn a_token_is_good_until_300_seconds_after_its_end() {
    let door = Door::new().await;
    for (name, expiry, reason) in [
        ("far inside", START + 1, None),
        ("now", START, None),
        ("a minute ago", START - 60, None),
        ("just inside", START - 299, None),
        ("at the end", START - 300, None),
        ("just outside", START - 301, Some(Reason::Expired)),
        ("an hour ago", START - 3_600, Some(Reason::Expired)),
        ("in 1970", 0, Some(Reason::Expired)),
    ] {
        let token = door.channel().without("nbf").claim("exp", expiry);
        assert_eq!(door.verdict(&token).await.err(), reason, "{name}");
        let token = door.emulator().without("nbf").claim("exp", expiry);
        assert_eq!(door.verdict(&token).await.err(), reason, "{name}");
    }
    let token = door.channel().claim("exp", -1.0);
    assert_eq!(door.verdict(&token).await.err(), Some(Reason::Expired));
    let fraction = |seconds: f64| door.channel().without("nbf").claim("exp", seconds);
    let end = f64::from(u32::try_from(START - 300).expect("it fits"));
    assert!(door.verdict(&fraction(end + 0.5)).await.is_ok());
    assert_eq!(
        door.verdict(&fraction(end - 0.5)).await.err(),
        Some(Reason::Expired)
    );
}

#[tokio::test]
async fn a_token_is_good_from_300_seconds_before_its_start() {
    let door = Door::new().await;
    for (name, start, reason) in [
        ("long ago", 0, None),
        ("now", START, None),
        ("just inside", START + 299, None),
        ("at the start", START + 300, None),
        ("just outside", START + 301, Some(Reason::NotYetValid)),
        ("in an hour", START + 3_600, Some(Reason::NotYetValid)),
    ] {
        let token = door.channel().claim("nbf", start).claim("exp", START + 7_200);
        assert_eq!(door.verdict(&token).await.err(), reason, "{name}");
    }
}

#[tokio::test]
async fn a_token_grows_old() {
    let door = Door::new().await;
    let token = door.channel();
    for (seconds, reason) in [(3_600, None), (300, None), (1, Some(Reason::Expired))] {
        door.advance(seconds);
        assert_eq!(door.verdict(&token).await.err(), reason);
    }
}
