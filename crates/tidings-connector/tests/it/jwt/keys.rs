//! The issuers' keys: kept for a day, asked for again with care.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use tidings_connector::jwt::RefusalReason as Reason;
use tidings_connector::test_idp::{NEXT_KID, TestKey, TokenDraft};
use tokio::task::JoinSet;

use super::{Door, TEAMS};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;
const REFETCH_FLOOR: u64 = 5 * MINUTE;
const RETRY_FLOOR: u64 = 5;

impl Door {
    /// A channel's token after the rotation.
    fn rotated(&self) -> TokenDraft {
        self.channel().kid(NEXT_KID).signed_by(TestKey::Next)
    }

    /// How often this door looked keys up.
    fn look_ups(&self) -> usize {
        self.idp.metadata_requests()
    }
}

#[tokio::test]
async fn keys_are_kept_for_a_day() {
    let door = Door::new().await;
    for (seconds, look_ups) in [
        (0, 1),
        (MINUTE, 1),
        (DAY - MINUTE - 1, 1),
        (1, 2),
        (DAY - 1, 2),
        (1, 3),
    ] {
        door.advance(seconds);
        assert!(door.verdict(&door.channel()).await.is_ok());
        assert_eq!(door.look_ups(), look_ups);
        assert_eq!(door.idp.key_requests(), look_ups);
    }
}

#[tokio::test]
async fn a_rotated_key_is_found_once_the_floor_has_passed() {
    let door = Door::new().await;
    assert!(door.verdict(&door.channel()).await.is_ok());
    door.idp.rotate();
    for (seconds, verdict) in [
        (0, Some(Reason::UnknownKey)),
        (REFETCH_FLOOR - 1, Some(Reason::UnknownKey)),
        (1, None),
    ] {
        door.advance(seconds);
        assert_eq!(door.verdict(&door.rotated()).await.err(), verdict);
    }
    assert_eq!(door.look_ups(), 2);
    // What is no longer published is no longer good.
    assert_eq!(
        door.verdict(&door.channel()).await.err(),
        Some(Reason::UnknownKey)
    );
    assert_eq!(door.look_ups(), 2);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_does_not_reach_the_issuer() {
    let door = Door::new().await;
    assert!(door.verdict(&door.channel()).await.is_ok());
    door.advance(REFETCH_FLOOR);
    for round in 0..3 {
        for count in 0..100 {
            let token = door.channel().kid(&format!("rogue-{round}-{count}"));
            assert_eq!(door.verdict(&token).await.err(), Some(Reason::UnknownKey));
        }
        assert_eq!(door.look_ups(), 2 + round, "one in five minutes");
        door.advance(REFETCH_FLOOR);
    }
    assert!(door.verdict(&door.channel()).await.is_ok());
}

#[tokio::test]
async fn callers_at_one_time_share_a_look_up() {
    let door = Door::new().await;
    door.idp.hold();
    let headers = Arc::new(door.channel().headers());
    let mut callers = JoinSet::new();
    for _ in 0..64 {
        let (authenticator, headers) = (Arc::clone(&door.authenticator), Arc::clone(&headers));
        callers.spawn(async move { authenticator.authenticate(&headers, TEAMS).await });
    }
    door.idp.wait_for_requests(1).await;
    door.idp.release();
    for verdict in callers.join_all().await {
        assert!(verdict.is_ok());
    }
    assert_eq!((door.look_ups(), door.idp.key_requests()), (1, 1));
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_no_look_up() {
    let door = Door::new().await;
    door.idp.hold();
    let (authenticator, headers) = (Arc::clone(&door.authenticator), door.channel().headers());
    let caller = tokio::spawn(async move { authenticator.authenticate(&headers, TEAMS).await });
    door.idp.wait_for_requests(1).await;
    caller.abort();
    assert!(caller.await.expect_err("it hung up").is_cancelled());
    door.idp.release();
    assert!(door.verdict(&door.channel()).await.is_ok());
    assert_eq!(door.look_ups(), 1);
}

#[tokio::test]
async fn without_keys_at_the_start_it_recovers_by_itself() {
    let door = Door::new().await;
    door.idp.set_down(true);
    let unavailable = Some(Reason::KeysUnavailable);
    for (seconds, look_ups) in [(0, 1), (0, 1), (RETRY_FLOOR - 1, 1), (1, 2), (RETRY_FLOOR - 1, 2)] {
        door.advance(seconds);
        assert_eq!(door.verdict(&door.channel()).await.err(), unavailable);
        assert_eq!(door.look_ups(), look_ups, "one in five seconds");
    }
    door.idp.set_down(false);
    door.advance(1);
    assert!(door.verdict(&door.channel()).await.is_ok());
    assert_eq!(door.look_ups(), 3);
    // Now the floor is the long one.
    door.advance(RETRY_FLOOR);
    let token = door.channel().kid("rogue");
    assert_eq!(door.verdict(&token).await.err(), Some(Reason::UnknownKey));
    assert_eq!(door.look_ups(), 3);
}

#[tokio::test]
async fn a_refusal_for_want_of_keys_says_why_and_when_to_try_again() {
    let door = Door::new().await;
    door.idp.set_down(true);
    let refusal = door
        .authenticator
        .authenticate(&door.channel().headers(), TEAMS)
        .await
        .expect_err("no keys");
    assert_eq!(refusal.retry_after(), Some(Duration::from_secs(RETRY_FLOOR)));
    let message = refusal.to_string();
    assert!(message.contains("could not be had"), "{message}");
    assert!(message.contains("answered 503"), "{message}");
    assert!(message.contains(door.idp.url()), "{message}");
}

#[tokio::test]
async fn old_keys_stay_while_new_ones_cannot_be_had() {
    let door = Door::new().await;
    assert!(door.verdict(&door.channel()).await.is_ok());
    door.idp.set_down(true);
    door.advance(DAY);
    for (seconds, look_ups) in [(0, 2), (0, 2), (REFETCH_FLOOR - 1, 2), (1, 3)] {
        door.advance(seconds);
        assert!(door.verdict(&door.channel()).await.is_ok());
        assert_eq!(door.look_ups(), look_ups);
    }
    // It may be a new key, so nobody can say that the token is bad.
    door.idp.rotate();
    assert_eq!(
        door.verdict(&door.rotated()).await.err(),
        Some(Reason::KeysUnavailable)
    );
    door.idp.set_down(false);
    door.advance(REFETCH_FLOOR);
    assert!(door.verdict(&door.rotated()).await.is_ok());
    assert_eq!(door.look_ups(), 4);
}

#[tokio::test]
async fn the_two_issuers_are_asked_apart() {
    let door = Door::new().await;
    assert!(door.verdict(&door.channel()).await.is_ok());
    assert_eq!(door.look_ups(), 1);
    assert!(door.verdict(&door.emulator()).await.is_ok());
    assert_eq!(door.look_ups(), 2);
}

#[tokio::test]
async fn keys_can_be_loaded_ahead() {
    let door = Door::new().await;
    door.idp.set_down(true);
    let refusal = door.authenticator.load_keys().await.expect_err("it is down");
    assert_eq!(refusal.reason(), Reason::KeysUnavailable);
    door.idp.set_down(false);
    door.advance(RETRY_FLOOR);
    for _ in 0..2 {
        assert_eq!(door.authenticator.load_keys().await, Ok(()));
        assert!(door.verdict(&door.channel()).await.is_ok());
        assert!(door.verdict(&door.emulator()).await.is_ok());
        assert_eq!(door.look_ups(), 3);
    }
}

#[tokio::test]
async fn a_strange_key_spoils_no_others() {
    let door = Door::new().await;
    let ec = json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "x": "AAAA", "y": "AAAA" });
    for strange in [ec, json!({ "kty": "oct", "kid": "oct", "k": "AAAA" }), json!(7)] {
        door.idp.publish(&strange);
    }
    assert!(door.verdict(&door.channel()).await.is_ok());
    assert!(door.verdict(&door.emulator()).await.is_ok());
    for kid in ["ec", "oct"] {
        assert_eq!(
            door.verdict(&door.channel().kid(kid)).await.err(),
            Some(Reason::UnknownKey)
        );
    }
}

#[tokio::test]
async fn documents_of_no_use_are_a_failed_look_up() {
    let ok = |body: &'static str| Some((StatusCode::OK, Bytes::from_static(body.as_bytes())));
    for (name, metadata, keys, complaint) in [
        ("not JSON", ok("<html>"), None, "is not OpenID metadata"),
        ("no jwks_uri", ok("{}"), None, "is not OpenID metadata"),
        (
            "plain http",
            ok(r#"{"jwks_uri":"http://keys.example/"}"#),
            None,
            "must be https",
        ),
        (
            "a file",
            ok(r#"{"jwks_uri":"file:///etc/passwd"}"#),
            None,
            "must be an https URL",
        ),
        ("not a JWKS", None, ok("[]"), "is not a JWKS"),
        ("no keys", None, ok(r#"{"keys":[]}"#), "has no RSA key"),
        (
            "a redirect",
            Some((StatusCode::FOUND, Bytes::new())),
            None,
            "answered 302",
        ),
        (
            "no content",
            None,
            Some((StatusCode::NO_CONTENT, Bytes::new())),
            "answered 204",
        ),
    ] {
        let door = Door::new().await;
        door.idp.set_metadata(metadata);
        door.idp.set_keys(keys);
        let refusal = door
            .authenticator
            .authenticate(&door.channel().headers(), TEAMS)
            .await
            .expect_err(name);
        assert_eq!(refusal.reason(), Reason::KeysUnavailable, "{name}");
        assert!(refusal.to_string().contains(complaint), "{name}: {refusal}");
    }
}

#[tokio::test]
async fn an_empty_jwks_takes_no_keys_away() {
    let door = Door::new().await;
    assert!(door.verdict(&door.channel()).await.is_ok());
    door.idp
        .set_keys(Some((StatusCode::OK, Bytes::from_static(br#"{"keys":[]}"#))));
    door.advance(DAY);
    assert!(door.verdict(&door.channel()).await.is_ok());
    assert_eq!(door.look_ups(), 2);
}

#[tokio::test]
async fn a_jwks_may_be_so_long_and_no_longer() {
    const LIMIT: usize = 1024 * 1024;
    let key = TestKey::Channel.jwk("channel-1", &["msteams"]);
    let bare = json!({ "keys": [key], "padding": "" }).to_string().len();
    for (length, is_read) in [(LIMIT - 1, true), (LIMIT, true), (LIMIT + 1, false)] {
        let document = json!({ "keys": [key], "padding": "x".repeat(length - bare) }).to_string();
        assert_eq!(document.len(), length);
        let door = Door::new().await;
        door.idp.set_keys(Some((StatusCode::OK, document.into())));
        let refusal = door
            .authenticator
            .authenticate(&door.channel().headers(), TEAMS)
            .await
            .err();
        match refusal {
            None => assert!(is_read, "{length}"),
            Some(refusal) => {
                assert!(!is_read, "{length}");
                assert!(
                    refusal.to_string().contains("longer than 1048576 bytes"),
                    "{refusal}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_waited_for_a_limited_time() {
    let door = Door::with(|options| options.metadata_timeout(Duration::from_millis(200))).await;
    door.idp.hold();
    assert_eq!(
        door.verdict(&door.channel()).await.err(),
        Some(Reason::KeysUnavailable)
    );
    assert_eq!(door.look_ups(), 1);
    door.idp.release();
    door.advance(RETRY_FLOOR);
    assert!(door.verdict(&door.channel()).await.is_ok());
}
