//! The door for bytes from outside.

mod error;
mod locate;

use serde::de::DeserializeOwned;

pub use error::{DecodeError, DecodeErrorKind};

use crate::guard;

/// Decodes JSON from outside into any type of this crate, or names what is wrong with it.
///
/// Stricter than [`serde_json::from_slice`] in what may stand anywhere in the text, also in values kept [`Raw`](crate::Raw):
/// nesting of more than 128 levels, the NUL character and halves of surrogate pairs are refused.
///
/// # Errors
/// A [`DecodeError`] whose `path` names the field. This never panics.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    let text = std::str::from_utf8(json).map_err(|error| DecodeError::not_utf8(&error))?;
    guard::check(json)
        .map_err(|violation| DecodeError::refused(violation, &locate::path_to(json, violation.offset)))?;
    // Following the path costs more than decoding: only after a failure.
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

#[cold]
fn explain<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> DecodeError {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => DecodeError::syntax(error), // what follows the object is wrong
        Err(with_path) => {
            let path = with_path.path().to_string();
            DecodeError::new(text, path, with_path.inner())
        }
    }
}
