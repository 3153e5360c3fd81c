//! A batch is kept whole or not at all.

use serde_json::json;
use tidings_store::{
    Batch, Committed, Database, Document, DocumentChange, ETag, MAX_KEY_BYTES, MemoryStorage, Step, Storage,
    StoreError, Tx,
};

use crate::engine::{Engine, on_both_engines};
use crate::notes::{self, insert};

on_both_engines! {
    documents_and_steps_are_kept_in_one_commit
    a_conflict_or_a_failing_step_keeps_nothing
    a_delete_is_conditional_on_its_etag
    changes_of_one_batch_see_those_before_them
    an_empty_batch_costs_no_commit
    only_the_database_says_that_it_is_one
    a_document_damaged_by_hand_is_named
}

struct Note(&'static str);

impl Step for Note {
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        insert(tx, self.0)
    }
}

struct Failing;

impl Step for Failing {
    fn write(&mut self, _: &Tx<'_>) -> Result<(), StoreError> {
        Err(StoreError::message("this step always fails"))
    }
}

fn document(count: u64) -> Document {
    Document::encode(&json!({ "count": count })).unwrap()
}

fn write(key: &str, document: Document) -> DocumentChange {
    DocumentChange::Write {
        key: key.to_owned(),
        document,
    }
}

fn delete(key: &str, etag: Option<ETag>) -> DocumentChange {
    DocumentChange::Delete {
        key: key.to_owned(),
        etag,
    }
}

fn batch(documents: Vec<DocumentChange>, steps: Vec<Box<dyn Step>>) -> Batch {
    Batch { documents, steps }
}

/// The keys among `a`, `b` and `c` that hold a document.
async fn keys(database: &Database) -> Vec<String> {
    let mut keys: Vec<String> = Storage::read(database, &["a", "b", "c"])
        .await
        .unwrap()
        .into_keys()
        .collect();
    keys.sort();
    keys
}

async fn documents_and_steps_are_kept_in_one_commit(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let changes = vec![
        write("a", document(1)),
        delete("b", None),
        write("c", document(3)),
    ];
    let committed = database
        .commit(batch(changes, vec![Box::new(Note("one")), Box::new(Note("two"))]))
        .await
        .unwrap();
    let written: Vec<&str> = committed.etags.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(written, ["a", "c"]);
    assert_eq!(keys(&database).await, ["a", "c"]);
    assert_eq!(notes::all(&database).await, ["one", "two"]);
    assert_eq!(database.stats().commits, 1);
    let read = database.read_document("c").await.unwrap().unwrap();
    assert_eq!(read.etag.as_ref(), Some(&committed.etags[1].1));
}

async fn a_conflict_or_a_failing_step_keeps_nothing(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let stale = write("b", document(2).with_etag(ETag::new("7")));
    let conflict = batch(
        vec![write("a", document(1)), stale],
        vec![Box::new(Note("never"))],
    );
    let error = database.commit(conflict).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { key } if key == "b"),
        "{error}"
    );
    let failing = batch(
        vec![write("a", document(1))],
        vec![Box::new(Note("never")), Box::new(Failing)],
    );
    let error = database.commit(failing).await.unwrap_err();
    assert_eq!(error.to_string(), "this step always fails");
    let invalid = batch(
        vec![
            write("a", document(1)),
            delete(&"k".repeat(MAX_KEY_BYTES + 1), None),
        ],
        Vec::new(),
    );
    assert!(matches!(
        database.commit(invalid).await.unwrap_err(),
        StoreError::InvalidKey { .. }
    ));
    assert!(keys(&database).await.is_empty());
    assert!(notes::all(&database).await.is_empty());
}

async fn a_delete_is_conditional_on_its_etag(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let first = database.write_document("a", document(1)).await.unwrap();
    let second = database.write_document("a", document(2)).await.unwrap();
    let commit = |change| database.commit(batch(vec![change], Vec::new()));
    for wrong in [first.clone(), ETag::absent(), ETag::new("invented")] {
        assert!(commit(delete("a", Some(wrong))).await.unwrap_err().is_conflict());
    }
    assert_eq!(
        commit(delete("a", Some(second.clone()))).await.unwrap(),
        Committed::default()
    );
    assert!(keys(&database).await.is_empty());
    // Nothing is there any more: whoever expects a version is told, whoever expects nothing is not.
    assert!(commit(delete("a", Some(second))).await.unwrap_err().is_conflict());
    for fine in [None, Some(ETag::any()), Some(ETag::new("")), Some(ETag::absent())] {
        commit(delete("a", fine)).await.unwrap();
    }
}

async fn changes_of_one_batch_see_those_before_them(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    let changes = vec![
        write("a", document(1).with_etag(ETag::absent())),
        delete("a", None),
        write("a", document(2).with_etag(ETag::absent())),
    ];
    let etags = database.commit(batch(changes, Vec::new())).await.unwrap().etags;
    assert_eq!(etags.len(), 2);
    let read = database.read_document("a").await.unwrap().unwrap();
    assert_eq!(read, document(2).with_etag(etags[1].1.clone()));
}

async fn an_empty_batch_costs_no_commit(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    assert!(Batch::default().is_empty());
    assert_eq!(
        database.commit(Batch::default()).await.unwrap(),
        Committed::default()
    );
    assert_eq!(database.stats().commits, 0);
}

async fn only_the_database_says_that_it_is_one(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    assert_eq!(database.database().unwrap().location(), database.location());
    assert!(MemoryStorage::new().database().is_none());
}

async fn a_document_damaged_by_hand_is_named(engine: Engine) {
    let database = engine.open([notes::NOTES]);
    database.write_document("a", document(1)).await.unwrap();
    database
        .write(|tx| tx.execute("UPDATE documents SET value = '[1'", &[]))
        .await
        .unwrap();
    let error = database.read_document("a").await.unwrap_err();
    assert!(
        matches!(&error, StoreError::BadDocument { key, .. } if key == "a"),
        "{error}"
    );
    database.write_document("a", document(2)).await.unwrap();
}
