use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Any JSON value, kept as it was spelled.
///
/// Number spelling, member order, duplicate keys and white space survive untouched, and nothing is parsed until
/// somebody asks. (Line breaks between the parts survive too: what holds a `Raw` is not always encoded as one line.)
/// Two values are equal when they are the same JSON value, however spelled.
///
/// ```
/// use tidings_activity::Raw;
///
/// let raw: Raw = serde_json::from_str(r#"{"price": 1.50}"#)?;
/// assert_eq!(raw.get(), r#"{"price": 1.50}"#);
///
/// #[derive(serde::Deserialize)]
/// struct Offer { price: f64 }
/// assert_eq!(raw.parse::<Offer>()?.price, 1.5);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Raw(Box<RawValue>);

impl Raw {
    /// The JSON of `value`.
    ///
    /// # Errors
    /// As [`serde_json::to_string`]: when `value` refuses to be serialised or has a map with keys that are not strings.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// Takes JSON text as it is.
    ///
    /// # Errors
    /// When `json` is not one JSON value.
    pub fn from_json(json: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(json).map(Self)
    }

    /// The value `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The JSON text.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// When the value is not a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }

    /// The text of a JSON string, else None.
    pub fn as_str(&self) -> Option<String> {
        self.get().starts_with('"').then(|| self.parse().ok()).flatten()
    }

    /// The number, if it is a whole one that fits; else None.
    pub fn as_i64(&self) -> Option<i64> {
        self.parse().ok()
    }

    /// The number, else None.
    pub fn as_f64(&self) -> Option<f64> {
        self.parse().ok()
    }

    /// The truth value, else None.
    pub fn as_bool(&self) -> Option<bool> {
        self.parse().ok()
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.get() == "null"
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.get())
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.get())
    }
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        if self.get() == other.get() {
            return true;
        }
        let values = (
            self.parse::<serde_json::Value>(),
            other.parse::<serde_json::Value>(),
        );
        matches!(values, (Ok(ours), Ok(theirs)) if ours == theirs)
    }
}

impl From<serde_json::Value> for Raw {
    fn from(value: serde_json::Value) -> Self {
        // A Value always has a JSON text.
        Self::new(&value).unwrap_or_default()
    }
}

impl From<Box<RawValue>> for Raw {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

crate::wire::value!(Raw);
