//! A database of an earlier version: what it owes is still owed.

use tidings_proactive::{DeliveryState, MIGRATIONS};
use tidings_store::{Database, DatabaseOptions, Migrations};

use crate::desk::{Desk, options};

const FIRST: Migrations = Migrations {
    component: MIGRATIONS.component,
    postgres: &[],
    sqlite: MIGRATIONS.sqlite.first_chunk::<1>().unwrap(),
};

#[tokio::test(start_paused = true)]
async fn what_the_first_version_owed_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidings.db");
    let old = Database::open(DatabaseOptions::new(&file).component(FIRST)).unwrap();
    old.write(|tx| {
        tx.execute_batch(
            r#"INSERT INTO deliveries (channel_id, conversation_id, class, state, reference, activity, due_at,
                                       expires_at, created_at, updated_at)
               VALUES ('test', 'alice', 'job', 'available',
                       '{"channelId":"test","serviceUrl":"http://127.0.0.1:1","conversation":{"id":"alice"}}',
                       '{"type":"message","text":"Job 1001 is complete."}', 1, 9000000000000000, 1, 1);
               UPDATE sqlite_sequence SET seq = 7 WHERE name = 'deliveries';"#,
        )?;
        Ok(())
    })
    .await
    .unwrap();
    old.close().await;

    let desk = Desk::on(DatabaseOptions::new(&file), options(4));
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
