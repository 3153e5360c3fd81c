//! The server goes, and comes back.

use std::sync::mpsc::channel;

use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, Migrations, StoreError, StoreErrorKind};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::notes;

fn open(server: &TestPostgres) -> Database {
    Database::open(server.options().component(notes::NOTES)).unwrap()
}

#[tokio::test]
async fn connections_that_broke_while_they_were_idle_are_replaced_unnoticed() {
    let server = TestPostgres::start();
    let database = open(&server);
    for round in 1..=3 {
        notes::add(database.clone(), "note").await.unwrap();
        assert_eq!(notes::all(&database).await.len(), round);
        if round == 2 {
            server.crash();
        } else {
            server.stop();
        }
        server.start_again();
    }
    assert_eq!(database.stats().failures, 0);
}

#[tokio::test]
async fn an_operation_under_way_fails_and_leaves_nothing() {
    let server = TestPostgres::start();
    let database = open(&server);
    let (entered, inside) = oneshot::channel();
    let (release, released) = channel::<()>();
    let operation = tokio::spawn({
        let database = database.clone();
        async move {
            let work = move |tx: &tidings_store::Tx<'_>| {
                notes::insert(tx, "half")?;
                entered.send(()).unwrap();
                released.recv().map_err(StoreError::other)?;
                notes::insert(tx, "other half")
            };
            database.write(work).await
        }
    });
    inside.await.unwrap();
    server.stop();
    release.send(()).unwrap();
    let error = operation.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    let place = format!(
        "the database at {}/.s.PGSQL.5432 is gone: ",
        server.folder().display()
    );
    assert!(error.to_string().starts_with(&place), "{error}");
    server.start_again();
    notes::add(database.clone(), "whole").await.unwrap();
    assert_eq!(notes::all(&database).await, ["whole"]);
}

#[tokio::test]
async fn operations_wait_for_a_server_that_comes_back_soon() {
    let server = TestPostgres::start();
    let database = open(&server);
    notes::add(database.clone(), "before").await.unwrap();
    server.stop();
    let mut waiting = JoinSet::new();
    for number in 0..20 {
        waiting.spawn(notes::add(database.clone(), number.to_string()));
    }
    tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .map(|server| async move {
        while let Some(added) = waiting.join_next().await {
            added.unwrap().unwrap();
        }
        assert_eq!(notes::all(&database).await.len(), 21);
        drop(server);
    })
    .unwrap()
    .await;
}

#[tokio::test]
async fn operations_fail_when_the_server_stays_away_and_work_when_it_is_back() {
    let server = TestPostgres::start();
    let database = open(&server);
    server.stop();
    let mut waiting = JoinSet::new();
    for number in 0..200 {
        waiting.spawn(notes::add(database.clone(), number.to_string()));
    }
    while let Some(added) = waiting.join_next().await {
        let error = added.unwrap().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
        assert!(error.to_string().contains("is gone: "), "{error}");
    }
    let error = database.read(notes::texts).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    server.start_again();
    notes::add(database.clone(), "back").await.unwrap();
    assert_eq!(notes::all(&database).await, ["back"]);
}

#[tokio::test]
async fn a_server_that_goes_during_the_commit_leaves_the_outcome_unknown() {
    // Whoever inserts here is thrown out by the server at the commit.
    const TRAP: Migrations = Migrations {
        component: "trap",
        postgres: &["
            CREATE TABLE trap (id BIGINT);
            CREATE FUNCTION spring() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON trap DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION spring();
        "],
        sqlite: &[],
    };
    let options = TestPostgres::shared().options().writers(1);
    let database = Database::open(options.component(notes::NOTES).component(TRAP)).unwrap();
    let error = database
        .write(|tx| {
            notes::insert(tx, "who knows")?;
            tx.execute("INSERT INTO trap (id) VALUES (1)", &[])
        })
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unknown { .. }), "{error}");
    assert_eq!(error.kind(), StoreErrorKind::Unknown);
    assert!(error.to_string().contains("nobody knows"), "{error}");
    notes::add(database.clone(), "after").await.unwrap();
}

#[tokio::test]
async fn closing_and_dropping_end_also_while_the_server_is_away() {
    let server = TestPostgres::start();
    let closed = open(&server);
    let dropped = open(&server);
    notes::add(dropped.clone(), "note").await.unwrap();
    server.stop();
    closed.close().await;
    assert!(matches!(closed.read(|_| Ok(())).await, Err(StoreError::Closed)));
    drop(dropped);
}
