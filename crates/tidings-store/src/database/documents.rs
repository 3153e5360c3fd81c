use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use crate::document::{check_key, to_json};
use crate::{Condition, Document, DocumentChange, ETag, StoreError};

/// `document_version` counts every write to any key: an eTag never returns, not even for a key that was deleted.
pub(super) const TABLES: &str = "
    CREATE TABLE documents (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        value TEXT NOT NULL,
        etag INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE document_version (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        last INTEGER NOT NULL
    ) STRICT;
    INSERT INTO document_version (id, last) VALUES (1, 0);
";

/// A change to a document, checked and turned to text before it reaches the writer thread.
pub(super) struct EncodedChange {
    key: String,
    etag: Option<ETag>,
    /// The JSON to write; `None` deletes.
    json: Option<String>,
}

impl EncodedChange {
    pub(super) fn new(change: DocumentChange) -> Result<EncodedChange, StoreError> {
        let (key, etag, value) = match change {
            DocumentChange::Write { key, document } => (key, document.etag, Some(document.value)),
            DocumentChange::Delete { key, etag } => (key, etag, None),
        };
        check_key(&key)?;
        let json = value.map(|value| to_json(&key, &value)).transpose()?;
        Ok(EncodedChange { key, etag, json })
    }

    fn condition(&self) -> Condition<'_> {
        self.etag.as_ref().map_or(Condition::Any, ETag::condition)
    }
}

/// Applies the changes in order and returns the new eTags of those that write.
pub(super) fn apply(
    connection: &Connection,
    changes: Vec<EncodedChange>,
) -> Result<Vec<(String, ETag)>, StoreError> {
    let writes = changes.iter().filter(|change| change.json.is_some()).count();
    let mut version = if writes > 0 {
        reserve_versions(connection, writes)?
    } else {
        0
    };
    let mut etags = Vec::with_capacity(writes);
    for change in changes {
        check_etag(connection, &change)?;
        let EncodedChange { key, json, .. } = change;
        match json {
            Some(json) => {
                version += 1;
                connection
                    .prepare_cached(
                        "INSERT INTO documents (key, value, etag) VALUES (?1, ?2, ?3)
                         ON CONFLICT (key) DO UPDATE SET value = excluded.value, etag = excluded.etag",
                    )?
                    .execute((&key, json, version))?;
                etags.push((key, ETag::new(version.to_string())));
            }
            None => {
                connection
                    .prepare_cached("DELETE FROM documents WHERE key = ?1")?
                    .execute([&key])?;
            }
        }
    }
    Ok(etags)
}

fn check_etag(connection: &Connection, change: &EncodedChange) -> Result<(), StoreError> {
    if change.condition() == Condition::Any {
        return Ok(());
    }
    let current: Option<i64> = connection
        .prepare_cached("SELECT etag FROM documents WHERE key = ?1")?
        .query_row([&change.key], |row| row.get(0))
        .optional()?;
    let current = current.map(|version| version.to_string());
    if change.condition().admits(current.as_deref()) {
        Ok(())
    } else {
        Err(StoreError::Conflict {
            key: change.key.clone(),
        })
    }
}

/// Takes the next `count` versions and returns the one before them.
fn reserve_versions(connection: &Connection, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).map_err(StoreError::other)?;
    let last: i64 = connection
        .prepare_cached("UPDATE document_version SET last = last + ?1 WHERE id = 1 RETURNING last")?
        .query_row([count], |row| row.get(0))?;
    Ok(last - count)
}

/// A document as it lies in the table.
pub(super) struct Row {
    key: String,
    json: String,
    version: i64,
}

pub(super) fn checked_keys(keys: &[&str]) -> Result<Vec<String>, StoreError> {
    keys.iter()
        .map(|key| check_key(key).map(|()| (*key).to_owned()))
        .collect()
}

pub(super) fn find(connection: &Connection, keys: Vec<String>) -> Result<Vec<Row>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value, etag FROM documents WHERE key = ?1")?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let found = statement
            .query_row([&key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((json, version)) = found {
            rows.push(Row { key, json, version });
        }
    }
    Ok(rows)
}

/// Parses what was found; done by the caller's task, not by the reader's thread.
pub(super) fn decode(rows: Vec<Row>) -> Result<HashMap<String, Document>, StoreError> {
    rows.into_iter()
        .map(|Row { key, json, version }| match serde_json::from_str(&json) {
            Ok(value) => Ok((
                key,
                Document {
                    value,
                    etag: Some(ETag::new(version.to_string())),
                },
            )),
            Err(source) => Err(StoreError::BadDocument {
                key,
                source: Arc::new(source),
            }),
        })
        .collect()
}
