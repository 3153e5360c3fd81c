use std::collections::HashMap;
use std::sync::Arc;

use crate::document::{check_key, to_json};
use crate::{Condition, Dialect, Document, DocumentChange, ETag, StoreError, ToColumn, Tx, params};

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

/// The same for PostgreSQL. A sequence lets nodes write at once, and its numbers do not return either.
pub(super) const POSTGRES_TABLES: &str = r#"
    CREATE TABLE documents (
        key TEXT COLLATE "C" PRIMARY KEY,
        value TEXT NOT NULL,
        etag BIGINT NOT NULL
    );
    CREATE SEQUENCE document_version;
"#;

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

/// Applies the changes and returns the new eTags of those that write, all in the order of the changes.
pub(super) fn apply(tx: &Tx<'_>, changes: &[EncodedChange]) -> Result<Vec<(String, ETag)>, StoreError> {
    let writes = changes.iter().filter(|change| change.json.is_some()).count();
    let mut free = reserve_versions(tx, writes)?.into_iter();
    let mut versions = Vec::with_capacity(changes.len());
    for change in changes {
        versions.push(change.json.as_ref().and_then(|_| free.next()));
    }
    // By key, so that two batches lock what they share in one order. What happens to a key depends only on the changes
    // before it of the same key, which stay in their order.
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by_key(|index| &changes[*index].key);
    let mut conflict: Option<usize> = None;
    for index in order {
        let is_later = conflict.is_some_and(|first| first < index);
        if !is_later && !apply_one(tx, &changes[index], versions[index])? {
            conflict = Some(index);
        }
    }
    let mut etags = Vec::with_capacity(writes);
    for (index, (change, version)) in changes.iter().zip(versions).enumerate() {
        let key = || change.key.clone();
        if conflict == Some(index) {
            return Err(StoreError::Conflict { key: key() });
        }
        etags.extend(version.map(|version| (key(), ETag::new(version.to_string()))));
    }
    Ok(etags)
}

/// Applies one change; false if its condition does not hold. Each condition is part of the statement that writes: of two
/// transactions that write one document the second one waits for the first and then judges what that left.
fn apply_one(tx: &Tx<'_>, change: &EncodedChange, version: Option<i64>) -> Result<bool, StoreError> {
    let key = &change.key;
    let changed = match (&change.json, change.condition()) {
        (Some(json), Condition::Any) => tx.execute(
            "INSERT INTO documents (key, value, etag) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, etag = excluded.etag",
            params![key, json, version],
        )?,
        (Some(json), Condition::Absent) => tx.execute(
            "INSERT INTO documents (key, value, etag) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING",
            params![key, json, version],
        )?,
        (Some(json), Condition::Is(etag)) => match number_of(etag) {
            Some(current) => tx.execute(
                "UPDATE documents SET value = ?2, etag = ?3 WHERE key = ?1 AND etag = ?4",
                params![key, json, version, current],
            )?,
            None => 0,
        },
        (None, Condition::Any) => {
            tx.execute("DELETE FROM documents WHERE key = ?1", params![key])?;
            return Ok(true);
        }
        (None, Condition::Absent) => {
            return Ok(!tx.exists("SELECT 1 FROM documents WHERE key = ?1", params![key])?);
        }
        (None, Condition::Is(etag)) => match number_of(etag) {
            Some(current) => tx.execute(
                "DELETE FROM documents WHERE key = ?1 AND etag = ?2",
                params![key, current],
            )?,
            None => 0,
        },
    };
    Ok(changed > 0)
}

/// The number in an eTag, if it is spelled as we spell it.
fn number_of(etag: &str) -> Option<i64> {
    etag.parse()
        .ok()
        .filter(|number: &i64| number.to_string() == etag)
}

/// Takes `count` new versions.
fn reserve_versions(tx: &Tx<'_>, count: usize) -> Result<Vec<i64>, StoreError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let count = i64::try_from(count).map_err(StoreError::other)?;
    if tx.dialect() == Dialect::Postgres {
        let next = "SELECT nextval('document_version') FROM generate_series(1, ?1)";
        return tx.all(next, params![count], |row| row.get(0));
    }
    // Not with RETURNING, for which SQLite makes a temporary table.
    tx.execute("UPDATE document_version SET last = last + ?1", params![count])?;
    let last: Option<i64> = tx.first("SELECT last FROM document_version", &[], |row| row.get(0))?;
    let last = last.ok_or_else(|| {
        StoreError::message("document_version is empty: restore the database from a backup")
    })?;
    Ok((last - count + 1..=last).collect())
}

/// A document as it lies in the table.
pub(super) struct Row {
    key: String,
    json: String,
    version: i64,
}

impl Row {
    fn read(row: &crate::Row<'_>) -> Result<Row, StoreError> {
        Ok(Row {
            key: row.get(0)?,
            json: row.get(1)?,
            version: row.get(2)?,
        })
    }
}

/// How many keys a statement for PostgreSQL asks for.
const FEW_KEYS: usize = 4;
const MANY_KEYS: usize = 64;

pub(super) fn checked_keys(keys: &[&str]) -> Result<Vec<String>, StoreError> {
    keys.iter()
        .map(|key| check_key(key).map(|()| (*key).to_owned()))
        .collect()
}

pub(super) fn find(tx: &Tx<'_>, keys: &[String]) -> Result<Vec<Row>, StoreError> {
    // SQLite is asked without a trip, and would make a temporary table of a list.
    let at_once = if tx.dialect() == Dialect::Postgres {
        MANY_KEYS
    } else {
        1
    };
    let mut rows = Vec::with_capacity(keys.len());
    for keys in keys.chunks(at_once) {
        let (Some(last), false) = (keys.last(), keys.len() == 1) else {
            rows.extend(tx.first(
                "SELECT key, value, etag FROM documents WHERE key = ?1",
                params![keys[0]],
                Row::read,
            )?);
            continue;
        };
        // Few texts, so that each stays prepared: the last key fills up.
        let places = if keys.len() <= FEW_KEYS {
            FEW_KEYS
        } else {
            MANY_KEYS
        };
        let list: Vec<String> = (1..=places).map(|place| format!("?{place}")).collect();
        let select = format!(
            "SELECT key, value, etag FROM documents WHERE key IN ({})",
            list.join(", ")
        );
        let keys: Vec<&dyn ToColumn> = (0..places)
            .map(|place| keys.get(place).unwrap_or(last) as &dyn ToColumn)
            .collect();
        rows.extend(tx.all(&select, &keys, Row::read)?);
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
