use serde_json::json;

use crate::{Document, Storage};

/// A document of one member.
pub(super) fn counting(count: u64) -> Document {
    Document::encode(&json!({ "count": count })).expect("an object is a document")
}

/// The `count` of the document under `key`; `None` if there is no document.
pub(super) async fn count_of(storage: &impl Storage, key: &str) -> Option<u64> {
    let document = storage.read_document(key).await.expect("a read succeeds")?;
    Some(document.value["count"].as_u64().expect("the document counts"))
}

/// Reading an unknown key finds nothing, alone and beside known ones.
pub async fn a_missing_document_is_left_out(storage: impl Storage) {
    assert_eq!(storage.read(&["missing/1"]).await.expect("read"), [].into());
    storage
        .write(vec![("missing/here".to_owned(), counting(1))])
        .await
        .expect("write");
    let found = storage
        .read(&["missing/1", "missing/here", "missing/2"])
        .await
        .expect("read");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["missing/here"]);
}

/// Reads, writes and deletes of nothing succeed.
pub async fn nothing_to_do_is_fine(storage: impl Storage) {
    assert!(storage.read(&[]).await.expect("read").is_empty());
    assert!(storage.write(Vec::new()).await.expect("write").is_empty());
    storage.delete(&[]).await.expect("delete");
}

/// What was written is read, with an eTag; also an empty object.
pub async fn a_created_document_is_read_back(storage: impl Storage) {
    let changes = vec![
        ("create/a".to_owned(), counting(1)),
        ("create/empty".to_owned(), Document::default()),
    ];
    let etags = storage.write(changes).await.expect("write");
    assert_eq!(
        etags.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
        ["create/a", "create/empty"]
    );
    let found = storage.read(&["create/a", "create/empty"]).await.expect("read");
    assert_eq!(found["create/a"].value, counting(1).value);
    assert_eq!(found["create/empty"].value, Document::default().value);
    assert!(
        found.values().all(|document| document.etag.is_some()),
        "{found:?}"
    );
}

/// A write does not merge: members that are left out are gone.
pub async fn an_update_replaces_the_whole_document(storage: impl Storage) {
    let before = Document::encode(&json!({ "count": 1, "name": "before" })).expect("a document");
    storage.write_document("update/a", before).await.expect("write");
    let mut document = storage
        .read_document("update/a")
        .await
        .expect("read")
        .expect("was written");
    document.value = counting(2).value;
    storage.write_document("update/a", document).await.expect("write");
    let after = storage
        .read_document("update/a")
        .await
        .expect("read")
        .expect("was written");
    assert_eq!(after.value, counting(2).value);
}

/// A deleted document is not read, and its neighbours are.
pub async fn a_deleted_document_is_gone(storage: impl Storage) {
    let changes = ["delete/a", "delete/b", "delete/c"].map(|key| (key.to_owned(), counting(1)));
    storage.write(changes.into()).await.expect("write");
    storage.delete(&["delete/a", "delete/c"]).await.expect("delete");
    let found = storage
        .read(&["delete/a", "delete/b", "delete/c"])
        .await
        .expect("read");
    assert_eq!(found.keys().collect::<Vec<_>>(), ["delete/b"]);
}

/// Deleting what is not there succeeds, and deletes what is beside it.
pub async fn deleting_a_missing_document_is_fine(storage: impl Storage) {
    storage.delete(&["unknown/a"]).await.expect("delete");
    storage
        .write_document("unknown/b", counting(1))
        .await
        .expect("write");
    storage
        .delete(&["unknown/a", "unknown/b", "unknown/b"])
        .await
        .expect("delete");
    assert_eq!(count_of(&storage, "unknown/b").await, None);
}

/// Separators, wildcards, quotes, control characters, other scripts and long keys are just keys.
pub async fn keys_that_look_special_are_kept_apart(storage: impl Storage) {
    let long = format!("special/{}", "long/".repeat(200));
    let keys = [
        "special/",
        "special//",
        "special/a/b",
        "special/a%2Fb",
        "special/a%2fb",
        "special/a?b=c#d",
        "special/ space ",
        "special/a+b",
        "special/*",
        "special/%",
        "special/_",
        "special/..",
        "special/../a",
        r"special/back\slash",
        "special/'quote'; DROP TABLE documents; --",
        "special/\"double\"`~!@$^&*()[]{}<>|,.;:=",
        "special/tab\tline\r\nfeed\u{1}\u{7f}",
        "special/日本語/ключ/مفتاح",
        "special/👩‍👩‍👧",
        "special/\u{feff}\u{200b}",
        &long,
    ];
    let changes = (0..)
        .zip(keys)
        .map(|(number, key)| (key.to_owned(), counting(number)));
    storage.write(changes.collect()).await.expect("write");
    let found = storage.read(&keys).await.expect("read");
    assert_eq!(found.len(), keys.len());
    for (number, key) in (0..).zip(keys) {
        assert_eq!(found[key].value, counting(number).value, "{key:?}");
    }
    storage
        .delete(&["special/*", "special/%", "special/_", "special/.."])
        .await
        .expect("delete");
    assert_eq!(storage.read(&keys).await.expect("read").len(), keys.len() - 4);
}

/// Keys are compared byte by byte.
pub async fn keys_differ_by_case_and_by_composition(storage: impl Storage) {
    let keys = [
        "exact/Ana",
        "exact/ana",
        "exact/\u{e9}",
        "exact/e\u{301}",
        "exact/ana ",
        "exact/ana/",
    ];
    for (number, key) in (0..).zip(keys) {
        storage
            .write_document(key, counting(number))
            .await
            .expect("write");
    }
    for (number, key) in (0..).zip(keys) {
        assert_eq!(count_of(&storage, key).await, Some(number), "{key:?}");
    }
}

/// Every kind of JSON value survives, at its extremes.
pub async fn json_values_come_back_as_they_went(storage: impl Storage) {
    let document = Document::encode(&json!({
        "": "the empty member name",
        "null": null,
        "true": true,
        "integers": [0, -1, i64::MIN, i64::MAX, u64::MAX],
        "floats": [0.1, -0.5, 1e300, 5e-324],
        "texts": ["", "\u{0}", "line\nfeed", "\"quoted\" \\ back", "👩‍👩‍👧", "\u{2028}"],
        "nested": { "list": [[], {}, [{ "deep": [1, [2, [3]]] }]] },
        "$type": "a member that other software reads",
        "eTag": "a member, not the eTag",
    }))
    .expect("a document");
    storage
        .write_document("json/a", document.clone())
        .await
        .expect("write");
    let read = storage
        .read_document("json/a")
        .await
        .expect("read")
        .expect("was written");
    assert_eq!(read.value, document.value);
}

/// A thousand documents in one call.
pub async fn many_documents_at_once(storage: impl Storage) {
    let keys: Vec<String> = (0..1000).map(|number| format!("many/{number}")).collect();
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    let changes = (0..)
        .zip(&keys)
        .map(|(number, key)| (key.clone(), counting(number)));
    let etags = storage.write(changes.collect()).await.expect("write");
    assert!(
        etags.iter().map(|(key, _)| key).eq(&keys),
        "eTags come in the order of the changes"
    );
    let found = storage.read(&names).await.expect("read");
    assert_eq!(found.len(), 1000);
    assert_eq!(found["many/999"].value, counting(999).value);
    storage.delete(&names).await.expect("delete");
    assert!(storage.read(&names).await.expect("read").is_empty());
}

/// A key that is named twice in one read is found once.
pub async fn a_key_asked_for_twice_is_read_once(storage: impl Storage) {
    storage
        .write_document("twice/a", counting(1))
        .await
        .expect("write");
    let found = storage.read(&["twice/a", "twice/a"]).await.expect("read");
    assert_eq!(found.len(), 1);
}
