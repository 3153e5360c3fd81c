//! Many callers, one commit.

use tidings_store::{Database, Tx};

use crate::held_writer::HeldWriter;
use crate::notes;

#[tokio::test]
async fn the_log_is_ahead_and_every_commit_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    let pragmas = |tx: &Tx<'_>| {
        let journal: Option<String> = tx.first("PRAGMA journal_mode", &[], |row| row.get(0))?;
        let synchronous: Option<i64> = tx.first("PRAGMA synchronous", &[], |row| row.get(0))?;
        Ok((journal.unwrap(), synchronous.unwrap()))
    };
    assert_eq!(
        database.write(pragmas).await.unwrap(),
        ("wal".to_owned(), 2),
        "2 is FULL"
    );
    assert_eq!(database.read(pragmas).await.unwrap().0, "wal");
    // One that is removed anyway waits for no disk.
    assert_eq!(
        notes::temporary().write(pragmas).await.unwrap(),
        ("wal".to_owned(), 0),
        "0 is OFF"
    );
}

/// Adds the notes `0..count`, all of which wait for the writer at the same time.
async fn add_at_once(database: &Database, count: u64) {
    let mut writer = HeldWriter::hold(database).await;
    let mut operations = Vec::new();
    for number in 0..count {
        let add = notes::add(database.clone(), number.to_string());
        operations.push(writer.queue(add).await);
    }
    writer.release().await;
    for operation in operations {
        operation.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn waiting_operations_share_a_commit_up_to_256() {
    for (waiting, commits) in [(1, 1), (255, 1), (256, 1), (257, 2), (512, 2), (513, 3)] {
        let database = notes::temporary();
        add_at_once(&database, waiting).await;
        let expected: Vec<String> = (0..waiting).map(|number| number.to_string()).collect();
        assert_eq!(
            notes::all(&database).await,
            expected,
            "in the order in which they were queued"
        );
        let stats = database.stats();
        // One more of both for the operation that held the writer.
        assert_eq!(
            (stats.operations, stats.commits),
            (waiting + 1, commits + 1),
            "{waiting} waiting"
        );
        assert_eq!(stats.failures, 0);
    }
}

#[tokio::test]
async fn more_callers_than_the_queue_has_places_are_all_served() {
    let database = notes::temporary();
    add_at_once(&database, 3000).await;
    assert_eq!(notes::all(&database).await.len(), 3000);
    assert_eq!(database.stats().operations, 3001);
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit() {
    let database = notes::temporary();
    let mut writer = HeldWriter::hold(&database).await;
    let first = writer.queue(notes::add(database.clone(), "first")).await;
    // The second one, in the same transaction, looks whether the first was answered while it runs.
    let (ask, asked) = std::sync::mpsc::channel();
    let (tell, told) = std::sync::mpsc::channel::<bool>();
    let second = writer
        .queue({
            let database = database.clone();
            async move {
                database
                    .write(move |_| {
                        ask.send(()).unwrap();
                        Ok(told.recv().unwrap())
                    })
                    .await
            }
        })
        .await;
    writer.release().await;
    tokio::task::spawn_blocking(move || asked.recv().unwrap())
        .await
        .unwrap();
    assert!(
        notes::all(&database).await.is_empty(),
        "what is not committed is not read"
    );
    tell.send(first.is_finished()).unwrap();
    assert!(
        !second.await.unwrap().unwrap(),
        "the first caller was answered before the commit"
    );
    first.await.unwrap().unwrap();
    assert_eq!(notes::all(&database).await, ["first"]);
}
