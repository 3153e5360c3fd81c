//! What becomes of the neighbours when one operation, or the whole transaction, fails.

use std::time::Duration;

use rusqlite::Connection;
use tidings_store::{Database, DatabaseOptions, Migrations, StoreError, StoreErrorKind, Tx};
use tokio::task::JoinHandle;

use crate::engine::{Engine, on_both_engines};
use crate::held_writer::HeldWriter;
use crate::notes::{self, insert};

on_both_engines! {
    a_failed_operation_leaves_no_trace_and_fails_no_neighbour
    failures_alone_commit_nothing
    a_panic_reaches_its_caller_as_an_error_and_the_writer_lives
    a_value_that_panics_when_dropped_does_not_kill_the_writer
    a_caller_that_gave_up_undoes_nothing
}

type Work = fn(&Tx<'_>) -> Result<(), StoreError>;

fn good_a(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "a")
}

fn good_b(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "b")
}

fn failing(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "half")?;
    Err(StoreError::message("changed my mind"))
}

fn failing_in_sql(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "half")?;
    tx.execute(
        "INSERT INTO notes (id, text) VALUES ((SELECT max(id) FROM notes), 'twice')",
        &[],
    )?;
    Ok(())
}

fn panicking(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "half")?;
    panic!("the operation's own defect")
}

fn ending(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, "half")?;
    tx.execute("ROLLBACK", &[])?;
    Ok(())
}

fn leaving_a_savepoint(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("SAVEPOINT forgotten", &[])?;
    insert(tx, "b")
}

/// Refused only at the commit.
fn orphan(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("INSERT INTO nodes (id, parent) VALUES (1, 2)", &[])?;
    Ok(())
}

/// Runs the operations as neighbours in one transaction.
async fn together(database: &Database, works: &[Work]) -> Vec<Result<(), StoreError>> {
    let mut writer = HeldWriter::hold(database).await;
    let mut tasks: Vec<JoinHandle<_>> = Vec::new();
    for work in works.iter().copied() {
        let database = database.clone();
        tasks.push(writer.queue(async move { database.write(work).await }).await);
    }
    writer.release().await;
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

fn kinds(results: &[Result<(), StoreError>]) -> Vec<Option<StoreErrorKind>> {
    results
        .iter()
        .map(|result| result.as_ref().err().map(StoreError::kind))
        .collect()
}

async fn a_failed_operation_leaves_no_trace_and_fails_no_neighbour(engine: Engine) {
    let bad: [(Work, StoreErrorKind); 3] = [
        (failing, StoreErrorKind::Other),
        (failing_in_sql, StoreErrorKind::Other),
        (panicking, StoreErrorKind::Panicked),
    ];
    for (bad, kind) in bad {
        for (works, expected, failures) in [
            (vec![good_a as Work, bad, good_b], vec![None, Some(kind), None], 1),
            (vec![bad, good_a, good_b], vec![Some(kind), None, None], 1),
            (vec![good_a, good_b, bad], vec![None, None, Some(kind)], 1),
            (
                vec![bad, good_a, bad, good_b, bad],
                vec![Some(kind), None, Some(kind), None, Some(kind)],
                3,
            ),
        ] {
            let database = engine.open([notes::NOTES]);
            let results = together(&database, &works).await;
            assert_eq!(kinds(&results), expected);
            assert_eq!(notes::all(&database).await, ["a", "b"]);
            let stats = database.stats();
            // One for the holder; on PostgreSQL each operation has one of its own.
            let commits = if engine == Engine::Sqlite { 2 } else { 3 };
            assert_eq!(
                (stats.commits, stats.operations, stats.failures),
                (commits, 3, failures)
            );
        }
    }
}

async fn failures_alone_commit_nothing(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let results = together(&database, &[failing, panicking, failing_in_sql]).await;
    assert!(results.iter().all(Result::is_err));
    assert!(notes::all(&database).await.is_empty());
    assert_eq!(database.stats().commits, 1, "the holder's");
}

async fn a_panic_reaches_its_caller_as_an_error_and_the_writer_lives(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let error = database.write(panicking).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Panicked { message } if message == "the operation's own defect"),
        "{error}"
    );
    let formatted = database
        .write(|_| -> Result<(), _> { panic!("job {}", 7) })
        .await
        .unwrap_err();
    assert!(formatted.to_string().contains("job 7"), "{formatted}");
    notes::add(database.clone(), "alive").await.unwrap();
    assert_eq!(notes::all(&database).await, ["alive"]);
}

async fn a_value_that_panics_when_dropped_does_not_kill_the_writer(engine: Engine) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let database = engine.open([notes::NOTES]);
    let mut writer = HeldWriter::hold(&database).await;
    let operation = {
        let database = database.clone();
        writer
            .queue(async move { database.write(|_| Ok(Bomb)).await.map(std::mem::forget) })
            .await
    };
    let neighbour = writer.queue(notes::add(database.clone(), "neighbour")).await;
    operation.abort();
    assert!(operation.await.unwrap_err().is_cancelled());
    writer.release().await;
    neighbour.await.unwrap().unwrap();
    notes::add(database.clone(), "alive").await.unwrap();
    assert_eq!(notes::all(&database).await, ["neighbour", "alive"]);
}

async fn a_caller_that_gave_up_undoes_nothing(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let mut writer = HeldWriter::hold(&database).await;
    let before = writer.queue(notes::add(database.clone(), "before")).await;
    let gave_up = writer.queue(notes::add(database.clone(), "gave up")).await;
    let after = writer.queue(notes::add(database.clone(), "after")).await;
    gave_up.abort();
    assert!(gave_up.await.unwrap_err().is_cancelled());
    writer.release().await;
    before.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    assert_eq!(notes::all(&database).await, ["before", "gave up", "after"]);
}

#[tokio::test]
async fn a_commit_that_fails_fails_everyone_in_it_and_nobody_else() {
    const TREE: Migrations = Migrations {
        component: "tree",
        postgres: &[],
        sqlite: &[
            "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL
            REFERENCES nodes (id) DEFERRABLE INITIALLY DEFERRED) STRICT",
        ],
    };
    let database = Database::temporary([notes::NOTES, TREE]).unwrap();
    let results = together(&database, &[good_a, failing, orphan, good_b]).await;
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, StoreError::Uncommitted { .. }), "{error}");
        assert!(error.to_string().contains("nothing of it was kept"), "{error}");
    }
    assert!(notes::all(&database).await.is_empty());
    database.write(good_a).await.unwrap();
    assert_eq!(notes::all(&database).await, ["a"]);
    assert_eq!(database.stats().failures, 4);
}

#[tokio::test]
async fn an_operation_that_ends_the_transaction_is_told_so() {
    let database = notes::temporary();
    let results = together(&database, &[good_a, ending, good_b]).await;
    assert!(
        matches!(results[0], Err(StoreError::Uncommitted { .. })),
        "{:?}",
        results[0]
    );
    let defect = results[1].as_ref().unwrap_err().to_string();
    assert!(defect.contains("ended the transaction"), "{defect}");
    assert!(results[2].is_ok(), "those after it go on in a new transaction");
    assert_eq!(notes::all(&database).await, ["b"]);
}

#[tokio::test]
async fn a_forgotten_savepoint_is_released_with_its_operation() {
    let database = notes::temporary();
    let results = together(&database, &[good_a, leaving_a_savepoint, failing]).await;
    assert_eq!(kinds(&results), [None, None, Some(StoreErrorKind::Other)]);
    assert_eq!(notes::all(&database).await, ["a", "b"]);
    let alone = together(&database, &[leaving_a_savepoint, good_a, failing]).await;
    assert_eq!(kinds(&alone), [None, None, Some(StoreErrorKind::Other)]);
    assert_eq!(notes::all(&database).await, ["a", "b", "b", "a"]);
}

/// Four pages or so.
fn large(tx: &Tx<'_>) -> Result<(), StoreError> {
    insert(tx, &"x".repeat(16 * 1024))
}

#[tokio::test]
async fn a_full_database_says_so_and_recovers_when_there_is_room() {
    let pages = 24;
    let options = DatabaseOptions::temporary()
        .component(notes::NOTES)
        .max_pages(pages);
    let database = Database::open(options).unwrap();
    let page_count = |tx: &Tx<'_>| tx.first("PRAGMA page_count", &[], |row| row.get::<u32>(0));
    let mut fitted = 0;
    let error = loop {
        match database.write(large).await {
            Ok(()) => fitted += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert!(error.to_string().contains("free disk space"), "{error}");
    assert!(database.read(page_count).await.unwrap() <= Some(pages));
    assert_eq!(notes::all(&database).await.len(), fitted, "each answer was true");
    assert!(fitted > 0);
    // Exactly at the limit: what needs no new page is still written.
    database
        .write(|tx| tx.execute("UPDATE notes SET text = upper(text)", &[]))
        .await
        .unwrap();
    database
        .write(|tx| tx.execute("DELETE FROM notes WHERE id = 1", &[]))
        .await
        .unwrap();
    database.write(large).await.unwrap();
    assert_eq!(
        database.write(large).await.unwrap_err().kind(),
        StoreErrorKind::Full
    );
}

#[tokio::test]
async fn neighbours_of_a_full_database_hear_the_truth() {
    let database =
        Database::open(DatabaseOptions::temporary().component(notes::NOTES).max_pages(24)).unwrap();
    let works: Vec<Work> = vec![good_a, large, large, large, large, large, good_b, large];
    let results = together(&database, &works).await;
    assert!(results.iter().any(Result::is_err), "it cannot hold all");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    }
    let answered = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(notes::all(&database).await.len(), answered);
    let kept = |text: &str, result: &Result<(), StoreError>, all: &[String]| {
        assert_eq!(all.iter().any(|kept| kept == text), result.is_ok(), "{text}");
    };
    let all = notes::all(&database).await;
    kept("a", &results[0], &all);
    kept("b", &results[6], &all);
}

#[tokio::test]
async fn a_lock_held_by_another_program_is_busy_and_passes() {
    let options = DatabaseOptions::temporary()
        .component(notes::NOTES)
        .busy_timeout(Duration::ZERO);
    let database = Database::open(options).unwrap();
    let shell = Connection::open(database.path().unwrap()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let results = together_without_holder(&database, &[good_a, good_b]).await;
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    }
    assert!(
        notes::all(&database).await.is_empty(),
        "readers are not disturbed"
    );
    shell.execute_batch("ROLLBACK").unwrap();
    notes::add(database.clone(), "a").await.unwrap();
    assert_eq!(notes::all(&database).await, ["a"]);
}

async fn together_without_holder(database: &Database, works: &[Work]) -> Vec<Result<(), StoreError>> {
    let mut tasks = Vec::new();
    for work in works.iter().copied() {
        let database = database.clone();
        tasks.push(tokio::spawn(async move { database.write(work).await }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}
