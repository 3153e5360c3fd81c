//! Good tokens of each kind.

use tidings_connector::jwt::CallerKind;
use tidings_connector::test_idp::TokenDraft;

use super::{APP, Door, Facts, OTHER_APP, SERVICE_URL, TEAMS};

#[tokio::test]
async fn each_kind_is_let_in_as_what_it_is() {
    let door = Door::with(|options| options.allowed_callers([OTHER_APP])).await;
    let azure = Some("urn:botframework:azure");
    let parent = format!("urn:botframework:aadappid:{OTHER_APP}");
    let parent = Some(parent.as_str());
    let skill_v2 = TokenDraft::skill_v2(APP, OTHER_APP).issued_at(door.now());
    for (name, token, kind, caller_id) in [
        ("channel", door.channel(), CallerKind::Channel, azure),
        ("emulator 1.0", door.emulator(), CallerKind::Emulator, None),
        ("emulator 2.0", door.emulator_v2(), CallerKind::Emulator, None),
        (
            "emulator without ver",
            door.emulator().without("ver"),
            CallerKind::Emulator,
            None,
        ),
        (
            "emulator with a blank ver",
            door.emulator().claim("ver", ""),
            CallerKind::Emulator,
            None,
        ),
        (
            "without tid",
            door.emulator().without("tid"),
            CallerKind::Emulator,
            None,
        ),
        ("skill 1.0", door.skill(), CallerKind::Skill, parent),
        ("skill 2.0", skill_v2, CallerKind::Skill, parent),
        (
            "without nbf",
            door.channel().without("nbf"),
            CallerKind::Channel,
            azure,
        ),
        (
            "unknown claims",
            door.channel().claim("roles", vec!["a", "b"]),
            CallerKind::Channel,
            azure,
        ),
    ] {
        let caller = door.verdict(&token).await.expect(name);
        assert_eq!(caller.kind, kind, "{name}");
        assert_eq!(caller.caller_id.as_deref(), caller_id, "{name}");
        let parent = (kind == CallerKind::Skill).then_some(OTHER_APP);
        assert_eq!(caller.parent_app_id(), parent, "{name}");
    }
    assert_eq!(door.idp.metadata_requests(), 2, "one for each issuer");
    assert_eq!(door.idp.key_requests(), 2);
}

#[tokio::test]
async fn an_audience_may_be_written_in_three_ways_and_any_case() {
    let door = Door::with(|options| options.allowed_callers([OTHER_APP])).await;
    for audience in [
        APP.to_owned(),
        format!("api://{APP}"),
        format!("api://botid-{APP}"),
        APP.to_ascii_uppercase(),
    ] {
        for (token, kind) in [
            (door.channel(), CallerKind::Channel),
            (door.emulator(), CallerKind::Emulator),
            (door.emulator_v2(), CallerKind::Emulator),
            (door.skill(), CallerKind::Skill),
        ] {
            let caller = door
                .verdict(&token.claim("aud", audience.as_str()))
                .await
                .expect("own audience");
            assert_eq!(caller.kind, kind, "{audience}");
            assert_eq!(caller.claims["aud"], audience);
        }
    }
}

#[tokio::test]
async fn the_claims_that_go_with_a_reference_are_kept() {
    let door = Door::with(|options| options.allowed_callers(["*"])).await;
    let caller = door
        .verdict(&door.skill().claim("name", "Ann").claim("azp", "x"))
        .await
        .expect("a skill");
    let names: Vec<_> = caller.claims.keys().map(String::as_str).collect();
    assert_eq!(names, ["appid", "aud", "azp", "idtyp", "iss", "tid", "ver"]);
    let caller = door.verdict(&door.channel()).await.expect("a channel");
    let names: Vec<_> = caller.claims.keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "iss", "serviceurl"]);
    assert_eq!(caller.claims["serviceurl"], SERVICE_URL);
}

#[tokio::test]
async fn a_service_url_is_compared_without_case_and_slash() {
    let door = Door::new().await;
    for service_url in [
        "https://smba.example/teams",
        "https://SMBA.example/Teams/",
        SERVICE_URL,
    ] {
        let facts = Facts {
            service_url: Some(service_url),
            ..TEAMS
        };
        let verdict = door.verdict_on(&door.channel().headers(), facts).await;
        assert!(verdict.is_ok(), "{service_url}");
    }
}

#[tokio::test]
async fn the_emulator_needs_no_endorsement_and_no_service_url() {
    let door = Door::new().await;
    for facts in [
        TEAMS,
        Facts::default(),
        Facts {
            channel_id: Some("emulator"),
            service_url: Some("http://localhost:5005/"),
        },
    ] {
        assert!(
            door.verdict_on(&door.emulator().headers(), facts).await.is_ok(),
            "{facts:?}"
        );
    }
}

#[tokio::test]
async fn the_facts_are_the_activitys() {
    let door = Door::new().await;
    let mut activity = tidings_activity::Activity::message("hello");
    activity.channel_id = Some("msteams".to_owned());
    activity.service_url = Some(SERVICE_URL.to_owned());
    assert_eq!(Facts::of(&activity), TEAMS);
    let verdict = door
        .verdict_on(&door.channel().headers(), Facts::of(&activity))
        .await;
    assert!(verdict.is_ok());
}

#[tokio::test]
async fn a_cloud_may_give_no_caller_id() {
    let mut cloud = tidings_connector::Cloud::public();
    cloud.caller_id.clear();
    let registration = super::registration(tidings_connector::AppType::MultiTenant, None);
    let door = Door::of(&registration, cloud, |options| options).await;
    let caller = door.verdict(&door.channel()).await.expect("a channel");
    assert_eq!(caller.caller_id, None);
}
