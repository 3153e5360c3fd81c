use std::sync::Arc;

use tokio::task::{JoinSet, yield_now};

use super::documents::{count_of, counting};
use crate::{Document, ETag, Storage, StorageError};

/// The document under `key`, which must be there.
async fn read(storage: &impl Storage, key: &str) -> Document {
    storage
        .read_document(key)
        .await
        .expect("a read succeeds")
        .expect("the document is there")
}

async fn assert_conflict(storage: &impl Storage, key: &str, etag: ETag) {
    let error = storage
        .write_document(key, counting(99).with_etag(etag))
        .await
        .expect_err("a conflict");
    assert!(
        matches!(&error, StorageError::Conflict { key: named } if named == key),
        "{error}"
    );
}

/// The eTag a write returns is the one of the next read.
pub async fn a_write_returns_the_etag_that_a_read_shows(storage: impl Storage) {
    let etag = storage
        .write_document("etag/returned", counting(1))
        .await
        .expect("write");
    assert_eq!(read(&storage, "etag/returned").await.etag, Some(etag));
}

/// Writing changes the eTag, even if the value stays.
pub async fn every_write_gives_a_new_etag(storage: impl Storage) {
    let first = storage
        .write_document("etag/new", counting(1))
        .await
        .expect("write");
    let second = storage
        .write_document("etag/new", counting(1))
        .await
        .expect("write");
    assert_ne!(first, second);
}

/// Read, change, write, again and again.
pub async fn the_etag_just_read_admits_a_write(storage: impl Storage) {
    storage
        .write_document("etag/current", counting(0))
        .await
        .expect("write");
    for count in 1..=3 {
        let etag = read(&storage, "etag/current")
            .await
            .etag
            .expect("a read document has an eTag");
        storage
            .write_document("etag/current", counting(count).with_etag(etag))
            .await
            .expect("write");
    }
    assert_eq!(count_of(&storage, "etag/current").await, Some(3));
}

/// The second of two writers that read the same version is told.
pub async fn a_stale_etag_conflicts(storage: impl Storage) {
    let first = storage
        .write_document("etag/stale", counting(1))
        .await
        .expect("write");
    storage
        .write_document("etag/stale", counting(2).with_etag(first.clone()))
        .await
        .expect("write");
    assert_conflict(&storage, "etag/stale", first).await;
    assert_eq!(count_of(&storage, "etag/stale").await, Some(2));
}

/// No eTag, the empty one and `*` are unconditional, for new and for known documents.
pub async fn no_etag_and_the_wildcards_write_whatever_is_there(storage: impl Storage) {
    for (key, etag) in [
        ("etag/any/0", None),
        ("etag/any/1", Some(ETag::new(""))),
        ("etag/any/2", Some(ETag::any())),
    ] {
        for count in [1, 2] {
            let document = Document {
                etag: etag.clone(),
                ..counting(count)
            };
            storage.write_document(key, document).await.expect("write");
            assert_eq!(count_of(&storage, key).await, Some(count), "{key}");
        }
    }
}

/// An eTag that the backend never issued conflicts.
pub async fn an_invented_etag_conflicts(storage: impl Storage) {
    let etag = storage
        .write_document("etag/invented", counting(1))
        .await
        .expect("write");
    for invented in [
        "invented".to_owned(),
        "0".to_owned(),
        format!("{etag} "),
        format!("0{etag}"),
        format!("+{etag}"),
    ] {
        assert_conflict(&storage, "etag/invented", ETag::new(invented)).await;
    }
    assert_eq!(count_of(&storage, "etag/invented").await, Some(1));
}

/// A deleted document is not brought back by someone who read it before.
pub async fn a_stale_etag_conflicts_on_a_deleted_document(storage: impl Storage) {
    let etag = storage
        .write_document("etag/deleted", counting(1))
        .await
        .expect("write");
    storage.delete(&["etag/deleted"]).await.expect("delete");
    assert_conflict(&storage, "etag/deleted", etag).await;
    assert_eq!(count_of(&storage, "etag/deleted").await, None);
}

/// The new document under an old key has none of the old eTags.
pub async fn an_etag_never_returns_after_delete_and_create(storage: impl Storage) {
    let mut before = Vec::new();
    for count in 0..3 {
        before.push(
            storage
                .write_document("etag/again", counting(count))
                .await
                .expect("write"),
        );
        storage.delete(&["etag/again"]).await.expect("delete");
    }
    let now = storage
        .write_document("etag/again", counting(9))
        .await
        .expect("write");
    assert!(!before.contains(&now), "{now} among {before:?}");
    for stale in before {
        assert_conflict(&storage, "etag/again", stale).await;
    }
    assert_eq!(count_of(&storage, "etag/again").await, Some(9));
}

/// An eTag for a key that was never written conflicts.
pub async fn an_etag_conflicts_where_nothing_was_ever_kept(storage: impl Storage) {
    let elsewhere = storage
        .write_document("etag/elsewhere", counting(1))
        .await
        .expect("write");
    assert_conflict(&storage, "etag/never", elsewhere).await;
    assert_eq!(count_of(&storage, "etag/never").await, None);
}

/// [`ETag::absent`] creates, and conflicts with whatever is there already.
pub async fn absent_creates_only_once(storage: impl Storage) {
    let created = counting(1).with_etag(ETag::absent());
    storage
        .write_document("etag/absent", created.clone())
        .await
        .expect("write");
    assert_conflict(&storage, "etag/absent", ETag::absent()).await;
    storage.delete(&["etag/absent"]).await.expect("delete");
    storage
        .write_document("etag/absent", created)
        .await
        .expect("write");
}

/// After a conflict, value and eTag are those of before.
pub async fn a_conflict_leaves_the_document_alone(storage: impl Storage) {
    storage
        .write_document("etag/alone", counting(1))
        .await
        .expect("write");
    let before = read(&storage, "etag/alone").await;
    assert_conflict(&storage, "etag/alone", ETag::new("stale")).await;
    assert_eq!(read(&storage, "etag/alone").await, before);
}

/// Fifty tasks that read, wait for each other's turn, compare and swap lose no count.
pub async fn fifty_tasks_count_to_fifty(storage: impl Storage) {
    let storage = Arc::new(storage);
    storage
        .write_document("etag/counter", counting(0))
        .await
        .expect("write");
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let storage = storage.clone();
        tasks.spawn(async move {
            loop {
                let mut document = read(&*storage, "etag/counter").await;
                let count = document.value["count"].as_u64().expect("the document counts");
                document.value = counting(count + 1).value;
                yield_now().await;
                match storage.write_document("etag/counter", document).await {
                    Ok(_) => return,
                    Err(error) => assert!(error.is_conflict(), "{error}"),
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("a task counts");
    }
    assert_eq!(count_of(&*storage, "etag/counter").await, Some(50));
}

/// Of many tasks that create one document, one does.
pub async fn one_of_many_creators_wins(storage: impl Storage) {
    let storage = Arc::new(storage);
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let storage = storage.clone();
        tasks.spawn(async move {
            let document = counting(number).with_etag(ETag::absent());
            storage
                .write_document("etag/creators", document)
                .await
                .is_ok()
                .then_some(number)
        });
    }
    let mut winners = Vec::new();
    while let Some(task) = tasks.join_next().await {
        winners.extend(task.expect("a task answers"));
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(count_of(&*storage, "etag/creators").await, winners.pop());
}
