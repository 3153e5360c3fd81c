use std::fmt;
use std::str::Utf8Error;

use serde_json::error::Category;

use crate::guard::{Offense, Violation};

/// Paths and messages may quote the sender: no longer than this many characters.
const MAX_QUOTED: usize = 200;

/// Why bytes are not the thing they should be.
///
/// Its Display is one line, led by the field: `from.id: invalid type: integer, expected a string`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct DecodeError {
    /// The field at fault, as `from.id` or `entities[2].type`; empty when it is the text as a whole.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// What sort of wrong it is.
    pub kind: DecodeErrorKind,
}

/// The sorts of [`DecodeError`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Not JSON in UTF-8, or cut off.
    Syntax,
    /// JSON, but not an object.
    NotAnObject,
    /// A required field is not there.
    MissingField,
    /// A field has a value of another type than the protocol says.
    WrongType,
    /// Arrays and objects nest more than 128 levels deep.
    TooDeep,
    /// A string holds NUL or half of a surrogate pair.
    ForbiddenCharacter,
}

impl DecodeError {
    pub(super) fn not_utf8(error: &Utf8Error) -> Self {
        let message = format!("not UTF-8: {error}");
        Self {
            path: String::new(),
            message,
            kind: DecodeErrorKind::Syntax,
        }
    }

    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        Self {
            path: String::new(),
            message: cut(&format!("not JSON: {error}")),
            kind: DecodeErrorKind::Syntax,
        }
    }

    pub(super) fn refused(violation: Violation, path: &str) -> Self {
        let kind = match violation.offense {
            Offense::TooDeep => DecodeErrorKind::TooDeep,
            Offense::Nul | Offense::LoneSurrogate => DecodeErrorKind::ForbiddenCharacter,
        };
        Self {
            path: cut(path),
            message: violation.offense.to_string(),
            kind,
        }
    }

    /// Of an error met at `path` ("." for the whole) while decoding `text`.
    pub(super) fn new(text: &str, path: String, error: &serde_json::Error) -> Self {
        let message = error.to_string();
        // serde_json counts a number that no machine number holds as wrong syntax, but it is JSON.
        let is_json = error.classify() == Category::Data || message.starts_with("number out of range");
        if !is_json {
            return Self::syntax(error);
        }
        let path = if path == "." { String::new() } else { path };
        if let Some(missing) = missing_field(&message) {
            let path = if path.is_empty() {
                missing.to_owned()
            } else {
                format!("{path}.{missing}")
            };
            let message = "missing: this field is required".to_owned();
            return Self {
                path,
                message,
                kind: DecodeErrorKind::MissingField,
            };
        }
        let is_object = text.trim_start().starts_with('{');
        let kind = if path.is_empty() && !is_object {
            DecodeErrorKind::NotAnObject
        } else {
            DecodeErrorKind::WrongType
        };
        Self {
            path: cut(&path),
            message: cut(&message),
            kind,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)
    }
}

/// The name in serde's "missing field `name`".
fn missing_field(message: &str) -> Option<&str> {
    let (name, _) = message.strip_prefix("missing field `")?.split_once('`')?;
    Some(name)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
