//! One state document during a turn: what was read, and what the turn changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidings_store::{Document, DocumentChange, ETag};

use super::conflict::StateError;
use super::preserve::keep_type_marks;
use crate::error::Result;

/// One state document during a turn.
#[derive(Debug)]
pub(crate) struct StateDocument {
    key: String,
    /// What the storage has, as far as is known.
    base: Map<String, Value>,
    /// `None`: the storage has no such document.
    etag: Option<ETag>,
    /// What the turn sets (`Some`) or removes (`None`).
    changes: BTreeMap<String, Option<Value>>,
    /// Whether the turn deletes the document.
    deleted: bool,
}

impl StateDocument {
    pub(crate) fn new(key: String, found: Option<Document>) -> Self {
        let mut document = Self {
            key,
            base: Map::new(),
            etag: None,
            changes: BTreeMap::new(),
            deleted: false,
        };
        document.set_base(found);
        document
    }

    fn set_base(&mut self, found: Option<Document>) {
        // A backend that gives no eTag cannot be compared with: the write is then unconditional.
        (self.base, self.etag) = found
            .map(|document| (document.value, Some(document.etag.unwrap_or_else(ETag::any))))
            .unwrap_or_default();
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn get<T: DeserializeOwned>(&self, property: &str) -> Result<Option<T>> {
        let value = match self.changes.get(property) {
            Some(changed) => changed.as_ref(),
            None => self.base.get(property),
        };
        match value {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value).map(Some).map_err(|error| {
                StateError::Unreadable {
                    key: self.key.clone(),
                    property: property.to_owned(),
                    source: Arc::new(error),
                }
                .into()
            }),
        }
    }

    pub(super) fn set(&mut self, property: &str, mut value: Value) {
        if let Some(old) = self.base.get(property) {
            keep_type_marks(old, &mut value);
        }
        self.deleted = false;
        self.changes.insert(property.to_owned(), Some(value));
    }

    pub(super) fn remove(&mut self, property: &str) {
        self.changes.insert(property.to_owned(), None);
    }

    pub(super) fn clear(&mut self) {
        self.changes
            .retain(|property, _| self.base.contains_key(property));
        for property in self.base.keys() {
            self.changes.insert(property.clone(), None);
        }
    }

    pub(super) fn delete(&mut self) {
        self.clear();
        self.deleted = true;
    }

    /// Forgets changes that change nothing; says whether any is left.
    pub(super) fn settle(&mut self) -> bool {
        let base = &self.base;
        self.changes
            .retain(|property, value| base.get(property) != value.as_ref());
        !self.changes.is_empty() || (self.deleted && self.etag.is_some())
    }

    /// The document to write, on condition that the storage still has what was read.
    pub(crate) fn change(&self) -> DocumentChange {
        if self.deleted {
            return DocumentChange::Delete {
                key: self.key.clone(),
                etag: Some(self.known_etag()),
            };
        }
        let mut value = self.base.clone();
        for (property, changed) in &self.changes {
            match changed {
                Some(changed) => value.insert(property.clone(), changed.clone()),
                None => value.remove(property),
            };
        }
        DocumentChange::Write {
            key: self.key.clone(),
            document: Document {
                value,
                etag: Some(self.known_etag()),
            },
        }
    }

    fn known_etag(&self) -> ETag {
        self.etag.clone().unwrap_or_else(ETag::absent)
    }

    /// Whether [`change`](Self::change) is a deletion.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// Moves the turn's changes onto what somebody else has written meanwhile.
    ///
    /// # Errors
    /// [`StateError::Conflict`] when they changed a property that the turn changed too.
    pub(crate) fn rebase(&mut self, found: Option<Document>) -> Result<(), StateError> {
        let base = std::mem::take(&mut self.base);
        self.set_base(found);
        let both_changed = |property: &&String| base.get(*property) != self.base.get(*property);
        let conflict = if self.deleted {
            base.keys().chain(self.base.keys()).find(both_changed)
        } else {
            self.changes.keys().find(both_changed)
        };
        match conflict {
            Some(property) => Err(StateError::Conflict {
                key: self.key.clone(),
                property: property.clone(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(value: &Value, etag: &str) -> Option<Document> {
        let value = value.as_object().unwrap().clone();
        Some(Document {
            value,
            etag: Some(ETag::new(etag)),
        })
    }

    fn document(value: &Value) -> StateDocument {
        StateDocument::new("key".to_owned(), found(value, "1"))
    }

    fn written(document: &StateDocument) -> (Value, String) {
        match document.change() {
            DocumentChange::Write { document, .. } => (
                Value::Object(document.value),
                document.etag.unwrap().as_str().to_owned(),
            ),
            DocumentChange::Delete { .. } => panic!("a deletion"),
        }
    }

    #[test]
    fn setting_what_is_there_already_changes_nothing() {
        let mut document = document(&json!({"a": {"x": 1, "y": 2}, "b": 2}));
        document.set("a", json!({"y": 2, "x": 1}));
        document.remove("c");
        assert!(!document.settle());
        document.set("a", json!(1));
        document.remove("b");
        assert!(document.settle());
        assert_eq!(written(&document), (json!({"a": 1}), "1".to_owned()));
    }

    #[test]
    fn a_new_document_is_only_created_where_none_is() {
        let mut document = StateDocument::new("key".to_owned(), None);
        document.set("a", json!(1));
        assert!(document.settle());
        assert_eq!(
            written(&document),
            (json!({"a": 1}), ETag::absent().as_str().to_owned())
        );
    }

    #[test]
    fn others_properties_are_merged_and_unknown_ones_stay() {
        let mut document = document(&json!({"mine": 1, "theirs": 1, "$type": "Bot.State"}));
        document.set("mine", json!(2));
        document
            .rebase(found(
                &json!({"mine": 1, "theirs": 5, "new": true, "$type": "Bot.State"}),
                "2",
            ))
            .unwrap();
        assert_eq!(
            written(&document),
            (
                json!({"mine": 2, "theirs": 5, "new": true, "$type": "Bot.State"}),
                "2".to_owned()
            )
        );
    }

    #[test]
    fn the_same_property_on_both_sides_is_a_conflict_even_to_the_same_value() {
        for theirs in [json!({"n": 2}), json!({"n": 3}), json!({})] {
            let mut document = document(&json!({"n": 1}));
            document.set("n", json!(2));
            let conflict = document.rebase(found(&theirs, "2")).unwrap_err();
            assert!(matches!(conflict, StateError::Conflict { property, .. } if property == "n"));
        }
    }

    #[test]
    fn removing_what_others_changed_or_removed_too_is_a_conflict() {
        for theirs in [json!({"n": 2}), json!({})] {
            let mut document = document(&json!({"n": 1}));
            document.remove("n");
            assert!(document.rebase(found(&theirs, "2")).is_err(), "{theirs}");
        }
    }

    #[test]
    fn what_both_sides_add_is_a_conflict() {
        for theirs in [json!({"n": 1}), json!({"n": null})] {
            let mut document = StateDocument::new("key".to_owned(), None);
            document.set("n", json!(1));
            assert!(document.rebase(found(&theirs, "1")).is_err(), "{theirs}");
        }
    }

    #[test]
    fn what_others_change_and_change_back_is_no_conflict() {
        let mut document = document(&json!({"n": 1}));
        document.set("n", json!(2));
        document.rebase(found(&json!({"n": 1}), "3")).unwrap();
        assert_eq!(written(&document), (json!({"n": 2}), "3".to_owned()));
    }

    #[test]
    fn somebody_elses_deletion_conflicts_only_with_properties_that_were_there() {
        let mut one = document(&json!({"old": 1}));
        one.set("new", json!(2));
        one.rebase(None).unwrap();
        assert_eq!(
            written(&one),
            (json!({"new": 2}), ETag::absent().as_str().to_owned())
        );
        let mut other = document(&json!({"old": 1}));
        other.set("old", json!(2));
        assert!(other.rebase(None).is_err());
    }

    #[test]
    fn a_deletion_conflicts_with_any_change_of_others() {
        let mut document = document(&json!({"a": 1}));
        document.delete();
        assert!(document.settle());
        assert!(matches!(document.change(), DocumentChange::Delete { .. }));
        assert!(document.rebase(found(&json!({"a": 1, "b": 2}), "2")).is_err());
    }

    #[test]
    fn clearing_keeps_what_others_add() {
        let mut document = document(&json!({"a": 1, "b": 2}));
        document.set("c", json!(3));
        document.clear();
        assert!(document.settle());
        document
            .rebase(found(&json!({"a": 1, "b": 2, "d": 4}), "2"))
            .unwrap();
        assert_eq!(written(&document), (json!({"d": 4}), "2".to_owned()));
    }

    #[test]
    fn a_property_set_after_the_deletion_brings_the_document_back_with_that_alone() {
        let mut document = document(&json!({"a": 1}));
        document.delete();
        document.set("b", json!(2));
        assert!(document.settle());
        assert_eq!(written(&document), (json!({"b": 2}), "1".to_owned()));
    }

    #[test]
    fn deleting_what_is_not_there_is_no_change() {
        let mut document = StateDocument::new("key".to_owned(), None);
        document.delete();
        assert!(!document.settle());
    }
}
