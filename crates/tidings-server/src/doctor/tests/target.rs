//! One conversation, looked at without a message to it.

use tidings_activity::ConversationReference;
use tidings_proactive::Proactive;
use tidings_store::{Database, ManualClock};

use super::*;

/// A database with a job started in the conversation of `reference`.
async fn with_reference(config: &Config, reference: &str, clock: &Arc<ManualClock>) {
    let database = Database::open(crate::database::database_options(config).unwrap()).unwrap();
    let reference: ConversationReference = serde_json::from_str(reference).unwrap();
    Proactive::new(database.clone(), clock.clone())
        .jobs()
        .start(reference)
        .await
        .unwrap();
    database.close().await;
}

/// What is found about the conversation `c` whose reference is `reference`, so many seconds later.
async fn target(reference: &str, seconds: i64, change: impl FnOnce(&mut Config)) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let mut config = authenticated(folder.path());
    change(&mut config);
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    with_reference(&config, reference, &clock).await;
    clock.advance(SignedDuration::from_secs(seconds));
    Doctor::new(&config).clock(clock).target("c").examine().await
}

fn teams(tenant: &str, bot: &str) -> String {
    format!(
        r#"{{"channelId":"msteams","serviceUrl":"https://smba.trafficmanager.net/teams/","bot":{{"id":"28:{bot}"}},
            "conversation":{{"id":"c","tenantId":"{tenant}"}}}}"#
    )
}

#[tokio::test]
async fn a_good_target_is_found_good() {
    let report = target(&teams(TENANT, APP_ID), 0, |_| {}).await;
    for (check, part) in [
        ("target", "msteams"),
        ("target channel", "can begin another"),
        ("target age", "within the last day"),
        ("target address", "https://smba.trafficmanager.net/teams/"),
        ("target bot", "with this bot"),
        ("target tenant", "in the bot's tenant"),
    ] {
        finds(&report, check, Verdict::Ok, &[part]);
    }
    let multi = target(&teams("another", APP_ID), 0, |config| {
        config.app_type = AppType::MultiTenant;
        config.app_tenant_id = None;
    })
    .await;
    assert!(
        multi
            .findings
            .iter()
            .all(|finding| finding.check != "target tenant")
    );
}

#[tokio::test]
async fn each_thing_wrong_with_a_target_is_found() {
    let report = target(&teams("another", "another"), 0, |_| {}).await;
    finds(&report, "target tenant", Verdict::Failed, &["another", TENANT]);
    finds(&report, "target bot", Verdict::Failed, &["another", APP_ID]);
    let no_tenant =
        r#"{"channelId":"msteams","serviceUrl":"https://evil.example","conversation":{"id":"c"}}"#;
    let report = target(no_tenant, 0, |_| {}).await;
    finds(&report, "target tenant", Verdict::Warning, &["not on record"]);
    finds(
        &report,
        "target address",
        Verdict::Failed,
        &["evil.example", "TIDINGS_ALLOWED_SERVICE_HOSTS"],
    );
    let bare = |channel: &str| format!(r#"{{"channelId":"{channel}","conversation":{{"id":"c"}}}}"#);
    let report = target(&bare("alexa"), 0, |_| {}).await;
    finds(
        &report,
        "target channel",
        Verdict::Failed,
        &["takes no messages", "another channel"],
    );
    finds(&report, "target address", Verdict::Failed, &["no serviceUrl"]);
    let report = target(&bare("facebook"), 0, |_| {}).await;
    finds(
        &report,
        "target channel",
        Verdict::Ok,
        &["24 hours", "must write first"],
    );
    let report = target(&bare("pigeons"), 0, |_| {}).await;
    finds(&report, "target channel", Verdict::Warning, &["pigeons"]);
}

#[tokio::test]
async fn the_key_of_the_local_channel_is_not_shown() {
    let reference = r#"{"channelId":"directline","serviceUrl":"http://127.0.0.1:3978/local/opensesame","conversation":{"id":"c"}}"#;
    let report = target(reference, 0, |config| {
        config.local_channel = Some(true);
        config.direct_line_secret = Some("secret".into());
    })
    .await;
    finds(
        &report,
        "target address",
        Verdict::Ok,
        &["the local channel of this server"],
    );
    assert!(!format!("{report:?}").contains("opensesame"), "{report:?}");
}

#[tokio::test]
async fn an_old_reference_is_doubted() {
    let days = 24 * 60 * 60;
    for (seconds, verdict, part) in [
        (days, Verdict::Ok, "a day ago"),
        (30 * days, Verdict::Ok, "30 days ago"),
        (30 * days + 1, Verdict::Warning, "30 days ago"),
        (31 * days, Verdict::Warning, "31 days ago"),
    ] {
        let report = target(&teams(TENANT, APP_ID), seconds, |_| {}).await;
        finds(&report, "target age", verdict, &[part]);
    }
}

#[tokio::test]
async fn an_unknown_target_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = local(folder.path());
    let report = Doctor::new(&config).target("c").examine().await;
    finds(&report, "target", Verdict::Failed, &["no database"]);
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    with_reference(&config, &teams(TENANT, APP_ID), &clock).await;
    let report = Doctor::new(&config).target("d").examine().await;
    finds(
        &report,
        "target",
        Verdict::Failed,
        &["nothing is on record", "tidings jobs list"],
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_target_is_looked_up_in_postgresql_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        database: tidings_store::test_postgres::TestPostgres::shared().url(),
        ..authenticated(folder.path())
    };
    let report = Doctor::new(&config).target("c").examine().await;
    finds(&report, "target", Verdict::Failed, &["no database"]);
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    with_reference(&config, &teams(TENANT, APP_ID), &clock).await;
    let report = Doctor::new(&config).target("c").examine().await;
    finds(&report, "target", Verdict::Ok, &["msteams"]);
    let report = Doctor::new(&config).target("d").examine().await;
    finds(&report, "target", Verdict::Failed, &["nothing is on record"]);
}
