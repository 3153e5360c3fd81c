use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::document::{check_key, to_json};
use crate::{Document, ETag, Storage, StorageError};

/// Documents in memory, gone with the process: for tests and trials.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    documents: Mutex<Documents>,
}

#[derive(Debug, Default)]
struct Documents {
    kept: HashMap<String, Kept>,
    /// Counts every write to any key, so that no eTag ever returns.
    last_version: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    value: Map<String, Value>,
    etag: ETag,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> MemoryStorage {
        MemoryStorage::default()
    }

    fn lock(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn read(&self, keys: &[&str]) -> Result<HashMap<String, Document>, StorageError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let documents = self.lock();
        let found = keys.iter().filter_map(|key| {
            let Kept { value, etag } = documents.kept.get(*key)?.clone();
            Some((
                (*key).to_owned(),
                Document {
                    value,
                    etag: Some(etag),
                },
            ))
        });
        Ok(found.collect())
    }

    async fn write(&self, changes: Vec<(String, Document)>) -> Result<Vec<(String, ETag)>, StorageError> {
        for (key, document) in &changes {
            check_key(key)?;
            to_json(key, &document.value)?;
        }
        let mut documents = self.lock();
        let mut written = Vec::with_capacity(changes.len());
        // Beside the map until all have passed: a conflict leaves no trace of the changes before it.
        let mut staged: HashMap<String, Kept> = HashMap::with_capacity(changes.len());
        for (key, document) in changes {
            let current = staged
                .get(&key)
                .or_else(|| documents.kept.get(&key))
                .map(|kept| kept.etag.as_str());
            if !document.condition().admits(current) {
                return Err(StorageError::Conflict { key });
            }
            documents.last_version += 1;
            let etag = ETag::new(documents.last_version.to_string());
            written.push((key.clone(), etag.clone()));
            staged.insert(
                key,
                Kept {
                    value: document.value,
                    etag,
                },
            );
        }
        documents.kept.extend(staged);
        Ok(written)
    }

    async fn delete(&self, keys: &[&str]) -> Result<(), StorageError> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let mut documents = self.lock();
        for key in keys {
            documents.kept.remove(*key);
        }
        Ok(())
    }
}
