//! A database of an earlier version: what it owes is still owed.

use tempfile::TempDir;
use tidings_proactive::{DeliveryState, MIGRATIONS};
use tidings_store::{Database, DatabaseOptions, Migrations};

use crate::desk::{Desk, options};

/// A file as the first `versions` left it, with what `sql` puts there.
async fn left_by(versions: usize, sql: &'static str) -> (TempDir, DatabaseOptions) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidings.db");
    let before = Migrations {
        component: MIGRATIONS.component,
        postgres: &[],
        sqlite: &MIGRATIONS.sqlite[..versions],
    };
    let old = Database::open(DatabaseOptions::new(&file).component(before)).unwrap();
    old.write(move |tx| tx.script(sql)).await.unwrap();
    old.close().await;
    (folder, DatabaseOptions::new(&file))
}

#[tokio::test(start_paused = true)]
async fn what_the_first_version_owed_is_delivered() {
    let (_folder, left) = left_by(
        1,
        r#"INSERT INTO deliveries (channel_id, conversation_id, class, state, reference, activity, due_at,
                                       expires_at, created_at, updated_at)
               VALUES ('test', 'alice', 'job', 'available',
                       '{"channelId":"test","serviceUrl":"http://127.0.0.1:1","conversation":{"id":"alice"}}',
                       '{"type":"message","text":"Job 1001 is complete."}', 1, 9000000000000000, 1, 1);
               UPDATE sqlite_sequence SET seq = 7 WHERE name = 'deliveries';"#,
    )
    .await;

    let desk = Desk::on(left, options(4));
    let running = desk.run();
    let call = desk.call().await;
    assert_eq!(call.text(), "Job 1001 is complete.");
    call.deliver();
    let next = desk.enqueue("alice", "and another").await;
    assert_eq!(next.get(), 8, "no number is given out twice");
    desk.call().await.deliver();
    desk.until(next, DeliveryState::Delivered).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_owed_before_there_were_lanes_is_delivered_in_order() {
    let (_folder, left) = left_by(
        3,
        r#"CREATE TEMP VIEW reference AS SELECT '{"channelId":"test","serviceUrl":"http://127.0.0.1:1","conversation":{"id":"%s","tenantId":"contoso"}}' AS text;
               CREATE TEMP TABLE owed (id, conversation, state, reason, due_at, expires_at, starts, key, ended_at);
               INSERT INTO owed VALUES
                   -- It was being sent when the process was killed; two wait behind it.
                   (1, 'killed', 'sending', NULL, NULL, 9e15, 1, NULL, NULL),
                   (2, 'killed', 'available', NULL, NULL, 9e15, 0, NULL, NULL),
                   (3, 'killed', 'available', NULL, NULL, 9e15, 0, NULL, NULL),
                   -- It is tried again in a day, and one waits behind it.
                   (4, 'later', 'retryable', NULL, 1772442000000000, 9e15, 2, NULL, NULL),
                   (5, 'later', 'available', NULL, NULL, 9e15, 0, NULL, NULL),
                   (6, 'due', 'retryable', NULL, 5, 9e15, 1, NULL, NULL),
                   (7, 'over', 'available', NULL, 5, 6, 0, NULL, NULL),
                   (8, 'ended', 'delivered', NULL, NULL, 9e15, 1, 'k', 3),
                   (9, 'ended', 'dead', 'rejected', NULL, 9e15, 1, NULL, 3);
               INSERT INTO deliveries (id, channel_id, conversation_id, class, state, reason, reference, activity,
                                       dedupe_key, due_at, expires_at, starts, created_at, updated_at, ended_at)
                   SELECT id, 'test', conversation, 'job', state, reason, printf(reference.text, conversation),
                          printf('{"type":"message","text":"%d"}', id), key, due_at, CAST(expires_at AS INTEGER),
                          starts, 1772355600000000, 2, ended_at
                   FROM owed, reference ORDER BY id;
               INSERT INTO jobs (channel_id, conversation_id, reference, state, started_at, completed_at, notice_id)
                   VALUES ('test', 'killed', '{}', 'complete', 1, 2, 1);"#,
    )
    .await;

    let desk = Desk::on(left, options(4));
    desk.check().await;
    let of_lanes = "SELECT DISTINCT tenant FROM lanes";
    assert_eq!(desk.texts(of_lanes).await, ["contoso"]);
    let running = desk.run();
    let mut seen = Vec::new();
    // Our own waits end with the process that chose them.
    for _ in 0..6 {
        let call = desk.call().await;
        seen.push((call.conversation().to_owned(), call.text().to_owned()));
        let id = call.delivery;
        call.deliver();
        let delivery = desk.until(id, DeliveryState::Delivered).await;
        assert_eq!(delivery.repeat_possible, id.get() == 1, "{delivery:?}");
    }
    seen.sort();
    let expected = [
        ("due", "6"),
        ("killed", "1"),
        ("killed", "2"),
        ("killed", "3"),
        ("later", "4"),
        ("later", "5"),
    ];
    assert_eq!(seen, expected.map(|(to, text)| (to.to_owned(), text.to_owned())));
    let states = "SELECT state || coalesce(' ' || reason, '') FROM deliveries WHERE id >= 7 ORDER BY id";
    assert_eq!(
        desk.texts(states).await,
        ["expired", "delivered", "dead rejected"]
    );
    let job = desk.jobs.page(1).await.unwrap().jobs.pop().unwrap();
    assert_eq!(job.notice, Some(DeliveryState::Delivered));
    // Its key is known still, in its tenant.
    let replay = desk
        .owe_in("ended", "contoso", "again")
        .dedupe_key("k")
        .accept()
        .await
        .unwrap();
    assert!(replay.replay && replay.id.get() == 8);
    // Old lanes get the host of the next that is owed.
    let next = desk.owe_in("due", "contoso", "next").commit().await.unwrap();
    desk.call().await.deliver();
    desk.until(next, DeliveryState::Delivered).await;
    let hosts = "SELECT host FROM lane_addresses JOIN lanes ON id = lane_id WHERE conversation_id = 'due'";
    assert_eq!(desk.texts(hosts).await, ["127.0.0.1:1"]);
    desk.check().await;
    running.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_postgresql_had_before_its_columns_were_put_in_order_is_delivered() {
    let place = tidings_store::test_postgres::TestPostgres::shared().options();
    let before = Migrations {
        postgres: &MIGRATIONS.postgres[..2],
        ..MIGRATIONS
    };
    let old = Database::open(place.clone().component(before)).unwrap();
    old.write(|tx| {
        tx.script(
            r#"INSERT INTO lanes (channel_id, conversation_id, tenant, next_at, backlog) VALUES ('test', 'alice', '', 1, 2);
               INSERT INTO lane_addresses (lane_id, host, reference) VALUES (1, '127.0.0.1:1',
                   '{"channelId":"test","serviceUrl":"http://127.0.0.1:1","conversation":{"id":"alice"}}');
               INSERT INTO deliveries (lane_id, class, state, policy, activity, expires_at, starts, began_at, created_at,
                                       updated_at, ended_at, activity_id, trace)
                   VALUES (1, 'message', 'delivered', 'at_most_once', '{"type":"message","text":"0"}', 9000000000000000, 1, 3,
                           2, 4, 4, 'a', 't'),
                          (1, 'message', 'available', 'at_least_once', '{"type":"message","text":"1"}', 9000000000000000, 0,
                           NULL, 2, 2, NULL, NULL, NULL),
                          (1, 'message', 'available', 'at_least_once', '{"type":"message","text":"2"}', 9000000000000000, 0,
                           NULL, 2, 2, NULL, NULL, NULL);
               DELETE FROM deliveries WHERE activity LIKE '%"2"%';
               UPDATE lanes SET backlog = 1"#,
        )
    })
    .await
    .unwrap();
    old.close().await;

    let desk = Desk::on(place, options(4));
    let kept = "SELECT concat_ws(' ', state, policy, starts, began_at, created_at, updated_at, ended_at, activity_id, trace)
                FROM deliveries WHERE id = 1";
    assert_eq!(desk.texts(kept).await, ["delivered at_most_once 1 3 2 4 4 a t"]);
    let running = desk.run();
    let call = desk.call().await;
    assert_eq!(call.text(), "1");
    call.deliver();
    let next = desk.enqueue("alice", "and another").await;
    assert_eq!(next.get(), 4, "no number is given out twice");
    desk.call().await.deliver();
    desk.until(next, DeliveryState::Delivered).await;
    running.stop().await;
    desk.check().await;
}
