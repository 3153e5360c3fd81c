use super::documents::{count_of, counting};
use crate::{ETag, Storage, StorageError};

/// A conflict in the middle of a call undoes the changes before it and those after it.
pub async fn a_conflict_keeps_nothing_of_its_call(storage: impl Storage) {
    storage
        .write_document("atomic/b", counting(1))
        .await
        .expect("write");
    let changes = vec![
        ("atomic/a".to_owned(), counting(2)),
        ("atomic/b".to_owned(), counting(2).with_etag(ETag::new("stale"))),
        ("atomic/c".to_owned(), counting(2)),
    ];
    let error = storage.write(changes).await.expect_err("a conflict");
    assert!(
        matches!(&error, StorageError::Conflict { key } if key == "atomic/b"),
        "{error}"
    );
    let found = storage
        .read(&["atomic/a", "atomic/b", "atomic/c"])
        .await
        .expect("read");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["atomic/b"]);
    assert_eq!(found["atomic/b"].value, counting(1).value);
}

/// An invalid key in a call leaves nothing of the call, whether it reads, writes or deletes.
pub async fn an_invalid_change_keeps_nothing_of_its_call(storage: impl Storage) {
    storage
        .write_document("atomic/valid", counting(1))
        .await
        .expect("write");
    let changes = vec![
        ("atomic/valid".to_owned(), counting(2)),
        (String::new(), counting(2)),
    ];
    storage.write(changes).await.expect_err("an empty key");
    storage
        .delete(&["atomic/valid", ""])
        .await
        .expect_err("an empty key");
    assert_eq!(count_of(&storage, "atomic/valid").await, Some(1));
}

/// Of two unconditional changes to one key in one call, the last one stays, with its eTag.
pub async fn changes_of_one_key_apply_in_order(storage: impl Storage) {
    let changes = vec![
        ("atomic/order".to_owned(), counting(1)),
        ("atomic/order".to_owned(), counting(2)),
    ];
    let etags = storage.write(changes).await.expect("write");
    let read = storage
        .read_document("atomic/order")
        .await
        .expect("read")
        .expect("was written");
    assert_eq!(read.value, counting(2).value);
    assert_eq!(read.etag.as_ref(), etags.last().map(|(_, etag)| etag));
    assert_ne!(etags[0].1, etags[1].1);
}

/// Two changes of one key with the same eTag conflict: the first one took the version away.
pub async fn the_second_change_of_a_key_meets_the_etag_of_the_first(storage: impl Storage) {
    let etag = storage
        .write_document("atomic/second", counting(1))
        .await
        .expect("write");
    let change = |count| {
        (
            "atomic/second".to_owned(),
            counting(count).with_etag(etag.clone()),
        )
    };
    let error = storage
        .write(vec![change(2), change(3)])
        .await
        .expect_err("a conflict");
    assert!(error.is_conflict(), "{error}");
    assert_eq!(count_of(&storage, "atomic/second").await, Some(1));
}
