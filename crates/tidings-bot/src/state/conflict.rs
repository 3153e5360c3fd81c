//! What can go wrong with state.

use std::sync::Arc;

/// What can go wrong with a [`BotState`](crate::BotState), besides the storage itself.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The activity lacks a field that the storage key is made of.
    #[error("{field}: missing in the activity, so there is no key for the {scope} state")]
    NoKey {
        /// The state's scope.
        scope: String,
        /// The field by its JSON path.
        field: &'static str,
    },
    /// A property holds JSON of another shape.
    #[error("the property {property:?} of {key} does not have the expected shape: {source}")]
    Unreadable {
        /// The document's storage key.
        key: String,
        /// The property's name.
        property: String,
        /// What the decoder says.
        source: Arc<serde_json::Error>,
    },
    /// Somebody else changed the same property while the turn ran. Nothing of the turn was kept.
    #[error(
        "the property {property:?} of {key} was changed by somebody else during the turn; nothing was saved"
    )]
    Conflict {
        /// The document's storage key.
        key: String,
        /// The property's name.
        property: String,
    },
    /// Others changed the document again and again while it was being saved. Nothing of the turn was kept.
    #[error("{key} is being changed by others too often to be saved; gave up after {tries} tries")]
    TooBusy {
        /// The document's storage key.
        key: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The adapter was built without a storage.
    #[error("the adapter has no storage for state; give it one with AdapterBuilder::storage")]
    NoStorage,
    /// Something was staged, but there is no database that could commit it.
    #[error(
        "the adapter has no database to commit staged work in; give it one with AdapterBuilder::database"
    )]
    NoDatabase,
}
