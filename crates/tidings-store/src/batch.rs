use std::fmt;

use crate::{Document, ETag, StoreError, Tx};

/// What is to be kept together or not at all: [`Database::commit`](crate::Database::commit) writes it in one
/// transaction.
#[derive(Default)]
pub struct Batch {
    /// Changes to documents, in order, each on the condition of its eTag.
    pub documents: Vec<DocumentChange>,
    /// Everything else, in order, after the documents.
    pub steps: Vec<Box<dyn Step>>,
}

impl Batch {
    /// True if there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.steps.is_empty()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Batch")
            .field("documents", &self.documents)
            .field("steps", &self.steps.len())
            .finish()
    }
}

/// A change to one document.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentChange {
    /// Writes `document` on the condition of its eTag.
    Write {
        /// The key to write under.
        key: String,
        /// What to write.
        document: Document,
    },
    /// Deletes the document.
    Delete {
        /// The key to delete.
        key: String,
        /// The version that must still be there; `None`, `""` and `"*"` delete whatever is there, or nothing.
        etag: Option<ETag>,
    },
}

/// Something that writes itself inside the transaction of a [`Batch`].
///
/// A step runs while others wait: it only executes statements, and neither begins, commits nor rolls back. If it fails,
/// its whole batch is undone.
pub trait Step: Send + 'static {
    /// Writes the step into the transaction that is open. It is called again in a new transaction if this one collided
    /// with others ([`StoreErrorKind::Retry`](crate::StoreErrorKind::Retry)) and was undone.
    ///
    /// # Errors
    /// Any; the batch is then undone and the error goes to the caller of [`Database::commit`](crate::Database::commit).
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError>;
}

/// What [`Database::commit`](crate::Database::commit) answers once the batch is durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Committed {
    /// The new eTag of each document written, in the order of [`Batch::documents`].
    pub etags: Vec<(String, ETag)>,
}
