//! Closing, dropping, opening again.

use std::fs::File;
use std::sync::mpsc::channel;

use serde_json::json;
use tidings_store::{Database, Document, ETag, Storage, StoreError, Tx};
use tokio::sync::oneshot;

use crate::engine::{Engine, on_both_engines};
use crate::held_writer::HeldWriter;
use crate::notes;

on_both_engines! {
    close_keeps_what_was_taken_in_and_refuses_the_rest
    dropping_the_last_handle_commits_and_unlocks_before_it_returns
    the_last_handle_may_be_dropped_by_an_operation
    etags_go_on_after_a_restart
}

async fn close_keeps_what_was_taken_in_and_refuses_the_rest(engine: Engine) {
    let home = engine.home();
    let database = Database::open(home.options()).unwrap();
    let mut writer = HeldWriter::hold(&database).await;
    let waiting = writer.queue(notes::add(database.clone(), "waiting")).await;
    let closing = writer.queue({
        let database = database.clone();
        async move { database.close().await }
    });
    let closing = closing.await;
    writer.release().await;
    closing.await.unwrap();
    waiting.await.unwrap().unwrap();
    database.close().await;
    assert!(matches!(
        notes::add(database.clone(), "late").await,
        Err(StoreError::Closed)
    ));
    assert!(matches!(database.read(|_| Ok(())).await, Err(StoreError::Closed)));
    // The other handle still lives, but the file is free.
    let again = Database::open(home.options()).unwrap();
    assert_eq!(notes::all(&again).await, ["waiting"]);
}

#[tokio::test]
async fn a_closed_file_is_checkpointed_into_one() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    notes::add(database.clone(), "kept").await.unwrap();
    assert!(folder.path().join("tidings.db-wal").exists());
    database.close().await;
    let mut files: Vec<_> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["tidings.db", "tidings.db-lock"]);
}

async fn dropping_the_last_handle_commits_and_unlocks_before_it_returns(engine: Engine) {
    let home = engine.home();
    for round in 0..20 {
        let database = Database::open(home.options()).unwrap();
        assert_eq!(notes::all(&database).await.len(), round);
        let mut writer = HeldWriter::hold(&database).await;
        let gave_up = writer.queue(notes::add(database.clone(), "queued")).await;
        gave_up.abort();
        let _ = gave_up.await;
        writer.release().await;
        drop(database);
    }
}

async fn the_last_handle_may_be_dropped_by_an_operation(engine: Engine) {
    let home = engine.home();
    let database = Database::open(home.options()).unwrap();
    let observer = database.clone();
    let mut writer = HeldWriter::hold(&database).await;
    let operation = writer
        .queue({
            let (database, captured) = (database.clone(), database.clone());
            async move {
                let work = move |tx: &Tx<'_>| {
                    notes::insert(tx, "last words")?;
                    drop(captured);
                    Ok(())
                };
                database.write(work).await
            }
        })
        .await;
    operation.abort();
    let _ = operation.await;
    drop(database);
    writer.release().await;
    observer.close().await;
    drop(observer);
    let again = Database::open(home.options()).unwrap();
    assert_eq!(notes::all(&again).await, ["last words"]);
}

#[tokio::test]
async fn the_very_last_handle_may_go_on_the_writer_thread() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    let captured = database.clone();
    let (entered, inside) = oneshot::channel();
    let (release, released) = channel::<()>();
    let operation = tokio::spawn(async move {
        let work = move |tx: &Tx<'_>| {
            entered.send(()).unwrap();
            released.recv().map_err(StoreError::other)?;
            drop(captured);
            notes::insert(tx, "last words")
        };
        database.write(work).await
    });
    inside.await.unwrap();
    operation.abort();
    assert!(operation.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    // Nobody is left to ask, but the file's lock tells when the writer has ended.
    let lock = File::open(folder.path().join("tidings.db-lock")).unwrap();
    lock.lock().unwrap();
    drop(lock);
    let again = Database::open(notes::options(&folder)).unwrap();
    assert_eq!(notes::all(&again).await, ["last words"]);
}

async fn etags_go_on_after_a_restart(engine: Engine) {
    let home = engine.home();
    let document = Document::encode(&json!({})).unwrap();
    let mut seen: Vec<ETag> = Vec::new();
    for _ in 0..3 {
        let database = Database::open(home.options()).unwrap();
        let etag = database.write_document("key", document.clone()).await.unwrap();
        assert!(!seen.contains(&etag), "{etag} among {seen:?}");
        for stale in seen.drain(..) {
            let conflict = database
                .write_document("key", document.clone().with_etag(stale))
                .await
                .unwrap_err();
            assert!(conflict.is_conflict(), "{conflict}");
        }
        database.delete(&["key"]).await.unwrap();
        seen.push(etag);
        database.close().await;
    }
}

#[tokio::test]
async fn a_temporary_database_leaves_nothing_behind() {
    let database = notes::temporary();
    let folder = database.path().unwrap().parent().unwrap().to_owned();
    notes::add(database.clone(), "gone").await.unwrap();
    assert!(folder.exists());
    drop(database);
    assert!(!folder.exists());
}

#[test]
fn a_database_outlives_the_runtime_it_was_used_on() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = engine.open([notes::NOTES]);
        outlives_runtimes(&database);
    }
}

fn outlives_runtimes(database: &Database) {
    for round in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(notes::add(database.clone(), "note")).unwrap();
        assert_eq!(runtime.block_on(notes::all(database)).len(), round);
    }
}

/// The file holds conversations and the key that signs tokens.
#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    Storage::write(&database, vec![("key".to_owned(), Document::default())])
        .await
        .unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        files += 1;
    }
    assert_eq!(
        files, 4,
        "the database, its lock, its log and the index of the log"
    );
}
