use tidings_activity::ChannelAccount;
use tidings_store::{DatabaseOptions, params};

use super::*;
use crate::MIGRATIONS;

async fn database(closed: u32, open: u32) -> Database {
    let db = Database::open(DatabaseOptions::temporary().component(MIGRATIONS)).unwrap();
    db.write(move |tx| {
        for number in 0..closed + open {
            tx.execute(
                "INSERT INTO lanes (channel_id, conversation_id, tenant, closed_reason) VALUES ('test', ?1, '', ?2)",
                params![number.to_string(), (number < closed).then_some("forbidden")],
            )?;
        }
        Ok(())
    })
    .await
    .unwrap();
    db
}

#[tokio::test]
async fn beyond_what_is_remembered_the_ledger_is_asked() {
    for (most, asks) in [(4, false), (3, false), (2, true)] {
        let db = database(3, 1).await;
        let lanes = ClosedLanes::remembering(most);
        assert!(!lanes.open(&db, false, "test", "3").await.unwrap());
        let before = db.stats();
        assert!(!lanes.open(&db, false, "test", "3").await.unwrap());
        let after = db.stats();
        assert_eq!(after.reads > before.reads, asks, "{most}");
        assert_eq!(after.operations, before.operations, "{most}");
        for closed in ["0", "1", "2"] {
            assert!(lanes.open(&db, false, "test", closed).await.unwrap(), "{most}");
            assert!(!lanes.open(&db, false, "test", closed).await.unwrap(), "{most}");
        }
    }
}

#[tokio::test]
async fn one_more_that_is_closed_here_is_one_too_many() {
    let db = database(1, 2).await;
    let lanes = ClosedLanes::remembering(1);
    assert!(lanes.are_known(&db).await.unwrap());
    lanes.close("test", "0");
    assert!(lanes.are_known(&db).await.unwrap(), "known before");
    lanes.close("test", "1");
    assert!(!lanes.are_known(&db).await.unwrap());
    assert!(lanes.open(&db, false, "test", "0").await.unwrap());
}

#[tokio::test]
async fn what_the_database_refuses_is_not_forgotten() {
    let db = database(1, 0).await;
    let lanes = ClosedLanes::default();
    assert!(lanes.are_known(&db).await.unwrap());
    db.close().await;
    assert!(lanes.open(&db, false, "test", "0").await.is_err());
    assert!(lanes.forget("test", "0"));
}

#[test]
fn whoever_shows_the_bot_out_opens_nothing() {
    for (json, opens) in [
        (r#"{"type":"message","text":"hello"}"#, true),
        (r#"{"type":"invoke","name":"task/fetch"}"#, true),
        (r#"{"type":"somethingNew"}"#, true),
        (r#"{"type":"installationUpdate","action":"add"}"#, true),
        (r#"{"type":"installationUpdate","action":"remove"}"#, false),
        (
            r#"{"type":"installationUpdate","action":"remove-upgrade"}"#,
            false,
        ),
        (r#"{"type":"contactRelationUpdate","action":"remove"}"#, false),
        (r#"{"type":"endOfConversation"}"#, false),
        (r#"{"type":"deleteUserData"}"#, false),
        (
            r#"{"type":"conversationUpdate","recipient":{"id":"bot"},"membersAdded":[{"id":"bot"}]}"#,
            true,
        ),
        (
            r#"{"type":"conversationUpdate","recipient":{"id":"bot"},"membersRemoved":[{"id":"ana"}]}"#,
            true,
        ),
        (
            r#"{"type":"conversationUpdate","recipient":{"id":"bot"},"membersRemoved":[{"id":"ana"},{"id":"bot"}]}"#,
            false,
        ),
    ] {
        assert_eq!(
            shows_that_it_is_open(&serde_json::from_str(json).unwrap()),
            opens,
            "{json}"
        );
    }
    let mut nobody = Activity::message("hello");
    nobody.recipient = Some(ChannelAccount::default());
    assert!(shows_that_it_is_open(&nobody));
}
