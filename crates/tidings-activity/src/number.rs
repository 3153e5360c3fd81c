use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::raw::Raw;

/// A JSON number of any size and spelling.
///
/// Channels are not careful about numbers: a count may come as `3`, `3.0` or `3e0`. It is written back as it came.
#[derive(Clone, PartialEq)]
pub struct Number(Raw);

impl Number {
    /// The number if it is whole, however spelled, and fits; else None.
    pub fn as_i64(&self) -> Option<i64> {
        let whole = |number: f64| {
            let fits = number.fract() == 0.0 && number.abs() < 2f64.powi(53);
            fits.then_some(number as i64)
        };
        self.0.as_i64().or_else(|| self.0.as_f64().and_then(whole))
    }

    /// The nearest floating point number; None when it is out of range.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(serde_json::Value::from(number).into())
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        if raw
            .get()
            .starts_with(|first: char| first == '-' || first.is_ascii_digit())
        {
            Ok(Self(raw))
        } else {
            Err(de::Error::custom("invalid type: expected a number"))
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

crate::wire::value!(Number);
