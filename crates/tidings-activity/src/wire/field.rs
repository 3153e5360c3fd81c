use serde::Serialize;
use serde::de::{DeserializeOwned, MapAccess};

/// What is written for a property that was in the decoded input.
pub(crate) enum Written {
    Value,
    Null,
    Nothing,
}

/// A type that may stand in an `Option<T>` field of a wire struct.
pub(crate) trait Value: Serialize + DeserializeOwned {
    /// Empty strings are left out of what we build ("Empty strings should be omitted", Activity spec).
    fn is_empty_string(&self) -> bool {
        false
    }
}

/// How a field of a wire struct is decoded and whether it is written.
///
/// `Option<T>` is the rule. A plain `String` reads as `""` when the property is absent or null. An implementor with
/// `REQUIRED` refuses an object without the property.
pub(crate) trait Field: Serialize {
    const REQUIRED: bool = false;

    /// Takes the next value of `map`; true when it was `null`.
    fn decode<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error>;

    /// What to write at the place where the property was decoded.
    fn written(&self, was_null: bool) -> Written;

    /// Whether to write a property that was not in the input, or that has no input because we built it.
    fn is_worth_building(&self) -> bool;
}

impl<T: Value> Field for Option<T> {
    fn decode<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        *self = map.next_value()?;
        Ok(self.is_none())
    }

    fn written(&self, was_null: bool) -> Written {
        match self {
            Some(_) => Written::Value,
            None if was_null => Written::Null,
            None => Written::Nothing,
        }
    }

    fn is_worth_building(&self) -> bool {
        self.as_ref().is_some_and(|value| !value.is_empty_string())
    }
}

impl Field for String {
    fn decode<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let value: Option<Self> = map.next_value()?;
        let null = value.is_none();
        *self = value.unwrap_or_default();
        Ok(null)
    }

    fn written(&self, was_null: bool) -> Written {
        if was_null && self.is_empty() {
            Written::Null
        } else {
            Written::Value
        }
    }

    fn is_worth_building(&self) -> bool {
        !self.is_empty()
    }
}

impl Value for String {
    fn is_empty_string(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Value> Value for Vec<T> {}

impl<T: Value> Value for Box<T> {
    fn is_empty_string(&self) -> bool {
        T::is_empty_string(self)
    }
}

/// Lets types without a notion of "empty string" stand in fields.
macro_rules! value {
    ($($Type:ty),+) => { $( impl $crate::wire::Value for $Type {} )+ };
}

pub(crate) use value;

value!(bool, f64);
