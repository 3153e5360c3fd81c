use serde_json::{Map, Value};

use super::documents::counting;
use crate::{Document, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_KEY_BYTES, Storage, StorageError};

/// Keys up to the limit are kept; a longer one, an empty one and one with a NUL are refused everywhere.
pub async fn keys_are_limited(storage: impl Storage) {
    for length in [MAX_KEY_BYTES - 1, MAX_KEY_BYTES] {
        let key = format!("limit/{}", "k".repeat(length - "limit/".len()));
        storage.write_document(&key, counting(1)).await.expect("write");
        assert!(
            storage.read_document(&key).await.expect("read").is_some(),
            "{length} bytes"
        );
        storage.delete(&[&key]).await.expect("delete");
    }
    for key in [
        "k".repeat(MAX_KEY_BYTES + 1),
        String::new(),
        "limit/\0".to_owned(),
    ] {
        let errors = [
            storage.read(&[&key]).await.map(drop).expect_err("read"),
            storage
                .write_document(&key, counting(1))
                .await
                .map(drop)
                .expect_err("write"),
            storage.delete(&[&key]).await.expect_err("delete"),
        ];
        for error in errors {
            assert!(matches!(error, StorageError::InvalidKey { .. }), "{error}");
        }
    }
}

/// Documents up to the limits of size and depth are kept and read back; beyond, they are refused.
pub async fn documents_are_limited(storage: impl Storage) {
    for (document, fits) in [
        (of_size(MAX_DOCUMENT_BYTES - 1), true),
        (of_size(MAX_DOCUMENT_BYTES), true),
        (of_size(MAX_DOCUMENT_BYTES + 1), false),
        (of_depth(MAX_DOCUMENT_DEPTH - 1), true),
        (of_depth(MAX_DOCUMENT_DEPTH), true),
        (of_depth(MAX_DOCUMENT_DEPTH + 1), false),
    ] {
        storage.delete(&["limited"]).await.expect("delete");
        let written = storage.write_document("limited", document.clone()).await;
        let read = storage
            .read_document("limited")
            .await
            .expect("read")
            .map(|document| document.value);
        if fits {
            written.expect("a document within the limits is written");
            assert!(
                read == Some(document.value),
                "a document within the limits is read back"
            );
        } else {
            let error = written.expect_err("a document beyond a limit is refused");
            assert!(matches!(error, StorageError::TooLarge { .. }), "{error}");
            assert!(read.is_none(), "a refused document leaves nothing");
        }
    }
}

fn of_size(bytes: usize) -> Document {
    let text = "x".repeat(bytes - r#"{"a":""}"#.len());
    Document::new(Map::from_iter([("a".to_owned(), Value::String(text))]))
}

fn of_depth(levels: usize) -> Document {
    let wrap = |inner: Map<String, Value>| Map::from_iter([("in".to_owned(), Value::Object(inner))]);
    Document::new((1..levels).fold(Map::new(), |inner, _| wrap(inner)))
}
