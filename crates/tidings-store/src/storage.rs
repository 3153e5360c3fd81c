use std::collections::HashMap;

use async_trait::async_trait;

use crate::{Database, Document, ETag, StorageError};

/// Documents under keys, each guarded by an eTag: Bot Framework's storage, made strict.
///
/// A key is any string of 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes without a NUL character; nothing in it
/// is special. A backend proves itself with [`storage_contract!`](crate::storage_contract).
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// The documents found under `keys`, each with its eTag. A key without a document is left out.
    ///
    /// # Errors
    /// [`StorageError`] if a key is not valid, or the backend cannot be read.
    async fn read(&self, keys: &[&str]) -> Result<HashMap<String, Document>, StorageError>;

    /// Writes `changes` in order and returns the new eTags in the same order.
    ///
    /// A document whose [`Document::etag`] is a version is written only if that version is still there: also when the
    /// document was deleted meanwhile, the write is a conflict. [`Database`] and [`MemoryStorage`](crate::MemoryStorage)
    /// write all changes or none; a backend that cannot may have written those before the one that failed.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] names the key whose eTag did not match.
    async fn write(&self, changes: Vec<(String, Document)>) -> Result<Vec<(String, ETag)>, StorageError>;

    /// Deletes the documents under `keys`, whatever their eTags. A key without a document is fine.
    ///
    /// # Errors
    /// [`StorageError`] if a key is not valid, or the backend cannot be written.
    async fn delete(&self, keys: &[&str]) -> Result<(), StorageError>;

    /// The database these documents live in, so that one [`Database::commit`] can hold them and more. `None` for a
    /// backend of its own.
    fn database(&self) -> Option<&Database> {
        None
    }

    /// The document under `key`.
    ///
    /// # Errors
    /// As [`Storage::read`].
    async fn read_document(&self, key: &str) -> Result<Option<Document>, StorageError> {
        Ok(self.read(&[key]).await?.remove(key))
    }

    /// Writes one document and returns its new eTag.
    ///
    /// # Errors
    /// As [`Storage::write`].
    async fn write_document(&self, key: &str, document: Document) -> Result<ETag, StorageError> {
        let written = self.write(vec![(key.to_owned(), document)]).await?;
        let (_, etag) = written.into_iter().next().ok_or_else(|| {
            StorageError::message("the storage backend returned no eTag for a written document: report this")
        })?;
        Ok(etag)
    }
}
