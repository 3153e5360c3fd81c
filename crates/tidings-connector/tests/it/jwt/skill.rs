//! Other bots, to which this one is a skill.

use tidings_connector::jwt::{CallerKind, RefusalReason as Reason};
use tidings_connector::test_idp::{TestKey, TokenDraft};

use super::{APP, Door, OTHER_APP};

#[tokio::test]
async fn without_a_list_nobody_may_call() {
    let door = Door::new().await;
    assert_eq!(
        door.verdict(&door.skill()).await.err(),
        Some(Reason::CallerNotAllowed)
    );
    let door = Door::with(|options| options.allowed_callers([""; 0])).await;
    assert_eq!(
        door.verdict(&door.skill()).await.err(),
        Some(Reason::CallerNotAllowed)
    );
    let door = Door::with(|options| options.allowed_callers(["", " "])).await;
    assert_eq!(
        door.verdict(&door.skill()).await.err(),
        Some(Reason::CallerNotAllowed)
    );
}

#[tokio::test]
async fn who_is_listed_may_call() {
    let upper = OTHER_APP.to_ascii_uppercase();
    for (callers, is_allowed) in [
        (vec![OTHER_APP], true),
        (vec!["somebody", OTHER_APP], true),
        (vec![&upper], true),
        (vec!["*"], true),
        (vec!["somebody", " * "], true),
        (vec!["somebody"], false),
        (vec![APP], false),
        (vec!["99999999-*"], false),
    ] {
        let door = Door::with(|options| options.allowed_callers(&callers)).await;
        for token in [
            door.skill(),
            TokenDraft::skill_v2(APP, OTHER_APP).issued_at(door.now()),
        ] {
            let verdict = door.verdict(&token).await;
            let expected = if is_allowed {
                Ok(CallerKind::Skill)
            } else {
                Err(Reason::CallerNotAllowed)
            };
            assert_eq!(verdict.map(|caller| caller.kind), expected, "{callers:?}");
        }
    }
}

#[tokio::test]
async fn a_bots_token_must_say_all_of_it() {
    let door = Door::with(|options| options.allowed_callers(["*"])).await;
    let (v1, v2) = (
        || door.skill(),
        || TokenDraft::skill_v2(APP, OTHER_APP).issued_at(door.now()),
    );
    for (name, token, reason) in [
        // Without a version or with an unknown one it is no bot's token, and then not this Emulator's either.
        ("no ver", v1().without("ver"), Reason::WrongAppId),
        ("bad ver", v1().claim("ver", "3.0"), Reason::UnsupportedVersion),
        ("no appid", v1().without("appid"), Reason::NoAppId),
        (
            "azp of version 1.0",
            v1().without("appid").claim("azp", OTHER_APP),
            Reason::NoAppId,
        ),
        ("no azp", v2().without("azp"), Reason::NoAppId),
        ("wrong aud", v1().claim("aud", "somebody"), Reason::WrongAudience),
        ("no aud", v1().without("aud"), Reason::WrongAppId),
        (
            "for the channel",
            v1().claim("aud", "https://api.botframework.com"),
            Reason::WrongAppId,
        ),
        (
            "wrong iss",
            v1().claim("iss", "https://evil.example"),
            Reason::WrongIssuer,
        ),
        (
            "the channel's iss",
            v1().claim("iss", "https://api.botframework.com"),
            Reason::WrongIssuer,
        ),
        ("no iss", v1().without("iss"), Reason::WrongIssuer),
        ("other tenant", v1().claim("tid", APP), Reason::WrongTenant),
        ("expired", v1().claim("exp", 7), Reason::Expired),
        (
            "tampered",
            v1().tampered("appid", "somebody"),
            Reason::BadSignature,
        ),
        ("kid spoof", v1().signed_by(TestKey::Rogue), Reason::BadSignature),
        ("the channel's kid", v1().kid("channel-1"), Reason::UnknownKey),
    ] {
        assert_eq!(door.verdict(&token).await.err(), Some(reason), "{name}");
    }
}

#[tokio::test]
async fn who_is_allowed_is_told_to_nobody_without_a_signature() {
    let door = Door::new().await;
    let verdict = door.verdict(&door.skill().signed_by(TestKey::Rogue)).await;
    assert_eq!(verdict.err(), Some(Reason::BadSignature));
}
