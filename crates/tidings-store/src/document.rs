use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Condition, ETag, StoreError};

/// The longest key, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 2048;

/// The largest document, in bytes of JSON text.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The deepest nesting of objects and arrays in a document, itself included: what a JSON reader takes back again.
pub const MAX_DOCUMENT_DEPTH: usize = 127;

/// A JSON object kept under a key, with the eTag that guards it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What is kept.
    pub value: Map<String, Value>,
    /// Read: the version that was read. Written: the version that must still be there; `None`, `""` and `"*"` write
    /// whatever is there, [`ETag::absent`] only creates.
    pub etag: Option<ETag>,
}

impl Document {
    /// A document to be written whatever is there.
    pub fn new(value: Map<String, Value>) -> Document {
        Document { value, etag: None }
    }

    /// The same document, to be written only on the condition of `etag`.
    #[must_use]
    pub fn with_etag(self, etag: ETag) -> Document {
        Document {
            etag: Some(etag),
            ..self
        }
    }

    /// A document from any value that serializes to a JSON object.
    ///
    /// # Errors
    /// [`StoreError::Other`] if `value` does not serialize, or not to an object.
    pub fn encode(value: &impl Serialize) -> Result<Document, StoreError> {
        match serde_json::to_value(value).map_err(StoreError::other)? {
            Value::Object(value) => Ok(Document::new(value)),
            _ => Err(StoreError::message(
                "a document must be a JSON object: wrap the value in a struct or a map",
            )),
        }
    }

    /// The document as a `T`.
    ///
    /// # Errors
    /// [`StoreError::Other`] if the document does not have the shape of a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        T::deserialize(Value::Object(self.value.clone())).map_err(StoreError::other)
    }

    /// What a write of this document asks of the one that is there.
    pub fn condition(&self) -> Condition<'_> {
        self.etag.as_ref().map_or(Condition::Any, ETag::condition)
    }
}

/// Refuses a key that not every backend could keep.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    let reason = if key.is_empty() {
        "it is empty"
    } else if key.len() > MAX_KEY_BYTES {
        "it is longer than 2048 bytes"
    } else if key.contains('\0') {
        "it contains a NUL character"
    } else {
        return Ok(());
    };
    Err(StoreError::InvalidKey {
        key: shortened(key),
        reason,
    })
}

/// The JSON text of a document, if it is within the limits.
pub(crate) fn to_json(key: &str, value: &Map<String, Value>) -> Result<String, StoreError> {
    let too_large = |reason| StoreError::TooLarge {
        key: shortened(key),
        reason,
    };
    // First the depth: the serializer itself would recurse without a bound.
    if !value
        .values()
        .all(|member| is_within_depth(member, MAX_DOCUMENT_DEPTH - 1))
    {
        return Err(too_large("it is nested deeper than 127 levels"));
    }
    let text = serde_json::to_string(value).map_err(StoreError::other)?;
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(too_large("it is larger than 4 MiB as JSON"));
    }
    Ok(text)
}

fn is_within_depth(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(members) => depth > 0 && members.iter().all(|member| is_within_depth(member, depth - 1)),
        Value::Object(members) => {
            depth > 0 && members.values().all(|member| is_within_depth(member, depth - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A key as it may stand in a message: its first hundred characters.
fn shortened(key: &str) -> String {
    key.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    struct Profile {
        name: String,
        visits: u32,
    }

    #[test]
    fn encode_and_decode_are_inverse_and_only_objects_are_documents() {
        let profile = Profile {
            name: "Ana".to_owned(),
            visits: 3,
        };
        let document = Document::encode(&profile).unwrap();
        assert_eq!(document.decode::<Profile>().unwrap(), profile);
        assert!(
            Document::encode(&[1, 2])
                .unwrap_err()
                .to_string()
                .contains("JSON object")
        );
        assert!(document.decode::<Vec<u8>>().is_err());
    }

    #[test]
    fn keys_are_measured_in_bytes() {
        for (key, fits) in [
            ("k".repeat(MAX_KEY_BYTES - 1), true),
            ("k".repeat(MAX_KEY_BYTES), true),
            ("k".repeat(MAX_KEY_BYTES + 1), false),
            ("é".repeat(MAX_KEY_BYTES / 2), true),
            ("é".repeat(MAX_KEY_BYTES / 2) + "k", false),
            (String::new(), false),
            ("a\0b".to_owned(), false),
        ] {
            assert_eq!(check_key(&key).is_ok(), fits, "{} bytes", key.len());
        }
    }

    fn nested(levels: usize) -> Map<String, Value> {
        let innermost = Value::Object(Map::new());
        let value = (1..levels).fold(innermost, |value, _| serde_json::json!({ "in": value }));
        let Value::Object(map) = value else {
            unreachable!("an object was built")
        };
        map
    }

    #[test]
    fn whatever_depth_is_taken_can_be_read_back() {
        for levels in [1, MAX_DOCUMENT_DEPTH - 1, MAX_DOCUMENT_DEPTH] {
            let text = to_json("key", &nested(levels)).unwrap();
            serde_json::from_str::<Map<String, Value>>(&text).unwrap();
        }
        let error = to_json("key", &nested(MAX_DOCUMENT_DEPTH + 1)).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn size_is_measured_in_json_text() {
        let of_size = |bytes: usize| {
            let mut map = Map::new();
            map.insert(
                "a".to_owned(),
                Value::String("x".repeat(bytes - r#"{"a":""}"#.len())),
            );
            map
        };
        for (bytes, fits) in [
            (MAX_DOCUMENT_BYTES - 1, true),
            (MAX_DOCUMENT_BYTES, true),
            (MAX_DOCUMENT_BYTES + 1, false),
        ] {
            assert_eq!(to_json("key", &of_size(bytes)).is_ok(), fits, "{bytes} bytes");
        }
    }
}
