//! Readers beside the writer.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use tidings_store::{Database, StoreError, Tx};
use tokio::sync::oneshot;

use crate::engine::{Engine, on_both_engines};
use crate::held_writer::HeldWriter;
use crate::notes::{self, insert, texts};

on_both_engines! {
    readers_see_committed_data_while_a_transaction_is_open
    one_read_sees_one_state_through_all_its_statements
    a_reader_cannot_write
    readers_survive_panics_and_errors
    a_value_that_panics_when_dropped_does_not_kill_the_reader
    as_many_reads_run_at_once_as_there_are_readers
    more_reads_than_the_queue_has_places_are_all_served
    a_read_begun_after_a_write_was_answered_sees_it
    reads_are_served_while_the_writer_stands_still
}

async fn readers_see_committed_data_while_a_transaction_is_open(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    notes::add(database.clone(), "committed").await.unwrap();
    let (entered, inside) = oneshot::channel();
    let (release, released) = channel();
    let writing = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |tx| {
                    insert(tx, "open")?;
                    entered.send(()).unwrap();
                    released.recv().map_err(StoreError::other)
                })
                .await
        }
    });
    inside.await.unwrap();
    assert_eq!(notes::all(&database).await, ["committed"]);
    release.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(notes::all(&database).await, ["committed", "open"]);
}

async fn one_read_sees_one_state_through_all_its_statements(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    notes::add(database.clone(), "before").await.unwrap();
    let (entered, inside) = oneshot::channel();
    let (release, released) = channel();
    let reading = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .read(move |tx| {
                    let first = texts(tx)?;
                    entered.send(()).unwrap();
                    released.recv().map_err(StoreError::other)?;
                    Ok((first, texts(tx)?))
                })
                .await
        }
    });
    inside.await.unwrap();
    notes::add(database.clone(), "meanwhile").await.unwrap();
    release.send(()).unwrap();
    let (first, second) = reading.await.unwrap().unwrap();
    assert_eq!(
        (first.as_slice(), second.as_slice()),
        (&["before".to_owned()][..], &["before".to_owned()][..])
    );
    assert_eq!(notes::all(&database).await, ["before", "meanwhile"]);
}

async fn a_reader_cannot_write(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let error = database.read(|tx| insert(tx, "no")).await.unwrap_err();
    assert!(error.to_string().replace('-', "").contains("readonly"), "{error}");
    assert!(notes::all(&database).await.is_empty());
}

async fn readers_survive_panics_and_errors(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    for number in 0..5 {
        let panicked = database
            .read(move |_| -> Result<(), _> { panic!("read {number}") })
            .await
            .unwrap_err();
        assert!(matches!(panicked, StoreError::Panicked { .. }), "{panicked}");
        let failed = database
            .read(|tx| tx.exists("SELECT nothing", &[]))
            .await
            .unwrap_err();
        assert!(
            matches!(failed, StoreError::Sqlite(_) | StoreError::Postgres(_)),
            "{failed}"
        );
        // PostgreSQL refuses it.
        let _ = database.read(|tx| tx.execute("COMMIT", &[])).await;
    }
    assert!(notes::all(&database).await.is_empty());
}

async fn a_value_that_panics_when_dropped_does_not_kill_the_reader(engine: Engine) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let database = Database::open(engine.options().readers(1)).unwrap();
    let (entered, inside) = oneshot::channel();
    let (release, released) = channel::<()>();
    let read = tokio::spawn({
        let database = database.clone();
        async move {
            let work = move |_: &Tx<'_>| {
                entered.send(()).unwrap();
                released.recv().map_err(StoreError::other)?;
                Ok(Bomb)
            };
            database.read(work).await.map(std::mem::forget)
        }
    });
    inside.await.unwrap();
    read.abort();
    assert!(read.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    database.read(|_| Ok(())).await.unwrap();
}

async fn as_many_reads_run_at_once_as_there_are_readers(engine: Engine) {
    for readers in [1, 2, 5] {
        let database = Database::open(engine.options().readers(readers)).unwrap();
        let all_inside = Arc::new(Barrier::new(readers));
        let mut reads = Vec::new();
        for _ in 0..readers {
            let (database, all_inside) = (database.clone(), all_inside.clone());
            reads.push(tokio::spawn(async move {
                database.read(move |_| Ok(all_inside.wait())).await
            }));
        }
        for read in reads {
            read.await.unwrap().unwrap();
        }
        assert_eq!(database.stats().reads, readers as u64);
    }
}

async fn more_reads_than_the_queue_has_places_are_all_served(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let mut reads = Vec::new();
    for number in 0..3000 {
        let database = database.clone();
        reads.push(tokio::spawn(
            async move { database.read(move |_| Ok(number)).await },
        ));
    }
    for (number, read) in reads.into_iter().enumerate() {
        assert_eq!(read.await.unwrap().unwrap(), number);
    }
}

async fn a_read_begun_after_a_write_was_answered_sees_it(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    for count in 1..=200 {
        notes::add(database.clone(), "note").await.unwrap();
        assert_eq!(notes::all(&database).await.len(), count);
    }
}

async fn reads_are_served_while_the_writer_stands_still(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let writer = HeldWriter::hold(&database).await;
    assert!(notes::all(&database).await.is_empty());
    writer.release().await;
}
