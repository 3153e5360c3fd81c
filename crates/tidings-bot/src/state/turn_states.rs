//! The state documents that a turn has touched.

use super::StateDocument;

/// The state documents that a turn has touched, in the order in which it did. Few, so a list.
#[derive(Debug, Default)]
pub(crate) struct TurnStates {
    documents: Vec<StateDocument>,
}

impl TurnStates {
    pub(super) fn position(&self, key: &str) -> Option<usize> {
        self.documents.iter().position(|document| document.key() == key)
    }

    pub(super) fn insert(&mut self, document: StateDocument) -> usize {
        self.documents.push(document);
        self.documents.len() - 1
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut StateDocument {
        &mut self.documents[at]
    }

    /// Takes out the documents that the turn changed.
    pub(crate) fn take_changed(&mut self) -> Vec<StateDocument> {
        let mut documents = std::mem::take(&mut self.documents);
        documents.retain_mut(StateDocument::settle);
        documents
    }
}
