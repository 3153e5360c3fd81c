use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{check_key, to_json};
use crate::{Condition, Document, DocumentChange, ETag, StoreError, Tx, params};

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
pub(super) fn apply(tx: &Tx<'_>, changes: Vec<EncodedChange>) -> Result<Vec<(String, ETag)>, StoreError> {
    let writes = changes.iter().filter(|change| change.json.is_some()).count();
    let mut version = if writes > 0 {
        reserve_versions(tx, writes)?
    } else {
        0
    };
    let mut etags = Vec::with_capacity(writes);
    for change in changes {
        check_etag(tx, &change)?;
        let EncodedChange { key, json, .. } = change;
        match json {
            Some(json) => {
                version += 1;
                tx.execute(
                    "INSERT INTO documents (key, value, etag) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET value = excluded.value, etag = excluded.etag",
                    params![key, json, version],
                )?;
                etags.push((key, ETag::new(version.to_string())));
            }
            None => {
                tx.execute("DELETE FROM documents WHERE key = ?1", params![key])?;
            }
        }
    }
    Ok(etags)
}

fn check_etag(tx: &Tx<'_>, change: &EncodedChange) -> Result<(), StoreError> {
    if change.condition() == Condition::Any {
        return Ok(());
    }
    let current: Option<i64> = tx.first(
        "SELECT etag FROM documents WHERE key = ?1",
        params![change.key],
        |row| row.get(0),
    )?;
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
fn reserve_versions(tx: &Tx<'_>, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).map_err(StoreError::other)?;
    // Not with RETURNING, for which SQLite makes a temporary table.
    tx.execute("UPDATE document_version SET last = last + ?1", params![count])?;
    let last: Option<i64> = tx.first("SELECT last FROM document_version", &[], |row| row.get(0))?;
    last.map(|last| last - count)
        .ok_or_else(|| StoreError::message("document_version is empty: restore the database from a backup"))
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

pub(super) fn find(tx: &Tx<'_>, keys: Vec<String>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let found = tx.first(
            "SELECT value, etag FROM documents WHERE key = ?1",
            params![key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
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
