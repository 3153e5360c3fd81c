use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of a document, opaque to everyone but the backend that issued it.
///
/// A backend never issues the same eTag twice for one key, not even when the document was deleted and created again.
/// Three spellings are conditions rather than versions: `""` and `"*"` ([`ETag::any`]) match whatever is there, as in
/// Bot Framework storage, and `"-"` ([`ETag::absent`]) matches only a document that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    /// An eTag as a backend spells it.
    pub fn new(text: impl Into<String>) -> ETag {
        ETag(text.into())
    }

    /// `*`: write or delete whatever is there now.
    pub fn any() -> ETag {
        ETag("*".to_owned())
    }

    /// `-`: write only if nothing is there, so that of two creators the second one gets a conflict.
    pub fn absent() -> ETag {
        ETag("-".to_owned())
    }

    /// The eTag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the eTag asks of the document it guards.
    pub fn condition(&self) -> Condition<'_> {
        match self.as_str() {
            "" | "*" => Condition::Any,
            "-" => Condition::Absent,
            version => Condition::Is(version),
        }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<&str> for ETag {
    fn from(text: &str) -> ETag {
        ETag::new(text)
    }
}

impl From<String> for ETag {
    fn from(text: String) -> ETag {
        ETag(text)
    }
}

/// What a change asks of the document that is there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Nothing: change whatever is there.
    Any,
    /// No document under this key.
    Absent,
    /// A document with exactly this eTag. A document that was deleted has none, so a stale eTag conflicts there too.
    Is(&'a str),
}

impl Condition<'_> {
    /// True if a document whose eTag is `current` (`None`: no document) may be changed.
    pub fn admits(self, current: Option<&str>) -> bool {
        match self {
            Condition::Any => true,
            Condition::Absent => current.is_none(),
            Condition::Is(version) => current == Some(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_from_the_spelling() {
        assert_eq!(ETag::any().condition(), Condition::Any);
        assert_eq!(ETag::new("").condition(), Condition::Any);
        assert_eq!(ETag::absent().condition(), Condition::Absent);
        assert_eq!(ETag::from("7").condition(), Condition::Is("7"));
    }

    #[test]
    fn a_condition_admits_what_it_says() {
        let rows = [None, Some("7"), Some("8")];
        assert_eq!(rows.map(|row| Condition::Any.admits(row)), [true, true, true]);
        assert_eq!(
            rows.map(|row| Condition::Absent.admits(row)),
            [true, false, false]
        );
        assert_eq!(
            rows.map(|row| Condition::Is("7").admits(row)),
            [false, true, false]
        );
    }
}
