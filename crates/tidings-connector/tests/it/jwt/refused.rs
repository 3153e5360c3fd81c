//! Bad tokens, each with its reason.

use tidings_connector::jwt::{CallerKind, RefusalReason as Reason};
use tidings_connector::test_idp::{SKYPE_KID, TestKey, UNENDORSED_KID};

use super::{APP, Door, Facts, OTHER_APP, TEAMS};

#[tokio::test]
async fn a_channels_token_must_say_all_of_it() {
    let door = Door::new().await;
    let good = || door.channel();
    for (name, token, reason) in [
        ("alg none", good().unsigned(), Reason::UnsupportedAlgorithm),
        (
            "alg none, but signed",
            good().header("alg", "none"),
            Reason::UnsupportedAlgorithm,
        ),
        (
            "HS256 with the public key",
            good().hs256_with_public_key(),
            Reason::UnsupportedAlgorithm,
        ),
        ("RS384", good().rs384(), Reason::UnsupportedAlgorithm),
        (
            "RS256 that is HS256",
            good().hs256_with_public_key().header("alg", "RS256"),
            Reason::BadSignature,
        ),
        (
            "RS256 that is none",
            good().unsigned().header("alg", "RS256"),
            Reason::BadSignature,
        ),
        (
            "RS256 that is RS384",
            good().rs384().header("alg", "RS256"),
            Reason::BadSignature,
        ),
        ("wrong aud", good().claim("aud", OTHER_APP), Reason::WrongAudience),
        (
            "aud with a prefix",
            good().claim("aud", format!("app://{APP}")),
            Reason::WrongAudience,
        ),
        (
            "aud with more",
            good().claim("aud", format!("{APP}0")),
            Reason::WrongAudience,
        ),
        ("no aud", good().without("aud"), Reason::NoAudience),
        ("blank aud", good().claim("aud", " "), Reason::NoAudience),
        (
            "a list of aud",
            good().claim("aud", vec![APP]),
            Reason::MalformedToken,
        ),
        (
            "wrong iss",
            good().claim("iss", "https://evil.example"),
            Reason::WrongIssuer,
        ),
        (
            "iss with a slash",
            good().claim("iss", "https://api.botframework.com/"),
            Reason::WrongIssuer,
        ),
        ("no iss", good().without("iss"), Reason::WrongIssuer),
        (
            "iss of another cloud",
            good().claim("iss", "https://api.botframework.us"),
            Reason::WrongIssuer,
        ),
        ("no exp", good().without("exp"), Reason::NoExpiry),
        (
            "exp as text",
            good().claim("exp", "9999999999"),
            Reason::MalformedToken,
        ),
        (
            "other serviceUrl",
            good().claim("serviceurl", "http://evil.example/"),
            Reason::WrongServiceUrl,
        ),
        (
            "no serviceurl",
            good().without("serviceurl"),
            Reason::NoServiceUrlClaim,
        ),
        (
            "blank serviceurl",
            good().claim("serviceurl", ""),
            Reason::NoServiceUrlClaim,
        ),
        (
            "tampered",
            good().claim("aud", OTHER_APP).tampered("aud", APP),
            Reason::BadSignature,
        ),
        ("tampered, added", good().tampered("x", 1), Reason::BadSignature),
        (
            "unknown kid",
            good().kid("rogue").signed_by(TestKey::Rogue),
            Reason::UnknownKey,
        ),
        (
            "kid spoof",
            good().signed_by(TestKey::Rogue),
            Reason::BadSignature,
        ),
        (
            "the other issuer's key",
            good().signed_by(TestKey::Directory),
            Reason::BadSignature,
        ),
        (
            "the other issuer's kid",
            good().kid("directory-1"),
            Reason::UnknownKey,
        ),
        ("no kid", good().without_kid(), Reason::NoKeyId),
        ("kid in other case", good().kid("CHANNEL-1"), Reason::UnknownKey),
        (
            "endorsed for another channel",
            good().kid(SKYPE_KID),
            Reason::NotEndorsed,
        ),
        (
            "endorsed for nothing",
            good().kid(UNENDORSED_KID),
            Reason::NotEndorsed,
        ),
        (
            "an extension",
            good().header("crit", vec!["exp"]),
            Reason::MalformedToken,
        ),
    ] {
        assert_eq!(door.verdict(&token).await.err(), Some(reason), "{name}");
    }
    assert!(door.verdict(&good()).await.is_ok());
}

#[tokio::test]
async fn an_emulators_token_must_say_all_of_it() {
    let door = Door::new().await;
    let (v1, v2) = (|| door.emulator(), || door.emulator_v2());
    let to_the_channel = "https://api.botframework.com";
    for (name, token, reason) in [
        (
            "wrong appid",
            v1().claim("appid", OTHER_APP).claim("aud", OTHER_APP),
            Reason::WrongAppId,
        ),
        (
            "wrong azp",
            v2().claim("azp", OTHER_APP).claim("aud", OTHER_APP),
            Reason::WrongAppId,
        ),
        (
            "wrong appid, no ver",
            v1().claim("appid", OTHER_APP).without("ver"),
            Reason::WrongAppId,
        ),
        ("no appid", v1().without("appid"), Reason::NoAppId),
        ("blank appid", v1().claim("appid", ""), Reason::NoAppId),
        (
            "no appid, no ver",
            v1().without("appid").without("ver"),
            Reason::NoAppId,
        ),
        ("no azp", v2().without("azp"), Reason::NoAppId),
        (
            "appid for azp",
            v2().without("azp").claim("appid", APP),
            Reason::NoAppId,
        ),
        ("bad ver", v1().claim("ver", "3.0"), Reason::UnsupportedVersion),
        (
            "ver with a space",
            v1().claim("ver", "1.0 "),
            Reason::UnsupportedVersion,
        ),
        ("ver as a number", v1().claim("ver", 1.0), Reason::MalformedToken),
        (
            "wrong aud",
            v1().claim("aud", OTHER_APP).without("ver"),
            Reason::WrongAudience,
        ),
        (
            "what the bot sent to a channel",
            v1().claim("aud", to_the_channel),
            Reason::WrongAudience,
        ),
        ("no aud", v1().without("aud"), Reason::NoAudience),
        ("other tenant", v1().claim("tid", OTHER_APP), Reason::WrongTenant),
        (
            "unknown tenant",
            v1().claim("iss", format!("https://sts.windows.net/{OTHER_APP}/")),
            Reason::WrongIssuer,
        ),
        ("no exp", v1().without("exp"), Reason::NoExpiry),
        (
            "tampered",
            v1().claim("appid", OTHER_APP).tampered("appid", APP),
            Reason::BadSignature,
        ),
        ("the channel's kid", v1().kid("channel-1"), Reason::UnknownKey),
        (
            "the channel's key",
            v1().signed_by(TestKey::Channel),
            Reason::BadSignature,
        ),
        ("no kid", v1().without_kid(), Reason::NoKeyId),
        ("none", v1().unsigned(), Reason::UnsupportedAlgorithm),
    ] {
        assert_eq!(door.verdict(&token).await.err(), Some(reason), "{name}");
    }
    assert!(door.verdict(&v1()).await.is_ok());
}

#[tokio::test]
async fn a_channel_must_name_itself_and_where_it_takes_replies() {
    let door = Door::new().await;
    for blank in [None, Some(""), Some("  ")] {
        let nameless = Facts {
            channel_id: blank,
            ..TEAMS
        };
        let homeless = Facts {
            service_url: blank,
            ..TEAMS
        };
        let headers = door.channel().headers();
        assert_eq!(
            door.verdict_on(&headers, nameless).await.err(),
            Some(Reason::NoChannelId)
        );
        assert_eq!(
            door.verdict_on(&headers, homeless).await.err(),
            Some(Reason::NoServiceUrl)
        );
        // Not even if the token is as blank.
        let headers = door.channel().claim("serviceurl", "").headers();
        assert_eq!(
            door.verdict_on(&headers, homeless).await.err(),
            Some(Reason::NoServiceUrl)
        );
    }
    for other in ["sms", "MSTeams", "msteams "] {
        let facts = Facts {
            channel_id: Some(other),
            ..TEAMS
        };
        let verdict = door.verdict_on(&door.channel().headers(), facts).await;
        assert_eq!(verdict.err(), Some(Reason::NotEndorsed), "{other}");
    }
}

#[tokio::test]
async fn what_cannot_pass_asks_for_no_key() {
    let door = Door::new().await;
    for token in [
        door.channel().claim("iss", "https://evil.example"),
        door.channel().claim("aud", OTHER_APP),
        door.channel().claim("exp", 7),
        door.channel().without("serviceurl"),
        door.channel().without_kid(),
        door.channel().unsigned(),
        door.emulator().claim("appid", OTHER_APP).without("ver"),
    ] {
        assert!(door.verdict(&token).await.is_err());
    }
    assert_eq!(door.idp.metadata_requests(), 0);
}

#[tokio::test]
async fn verdicts_are_counted() {
    let door = Door::new().await;
    let _ = door.verdict(&door.channel()).await;
    let _ = door.verdict(&door.channel()).await;
    let _ = door.verdict(&door.emulator()).await;
    let _ = door.verdict(&door.channel().without("aud")).await;
    let counts = door.authenticator.counts();
    assert_eq!(
        counts.accepted,
        [
            (CallerKind::Channel, 2),
            (CallerKind::Emulator, 1),
            (CallerKind::Skill, 0)
        ]
    );
    for (reason, count) in counts.refused {
        assert_eq!(count, u64::from(reason == Reason::NoAudience), "{reason}");
    }
}
