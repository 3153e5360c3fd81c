use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

/// The known properties of one wire struct.
pub(crate) trait KnownKey: Sized {
    /// The property of this JSON name, if the struct has a field for it.
    fn named(name: &str) -> Option<Self>;
}

/// A property name met while decoding.
pub(crate) enum Key<K> {
    Known(K),
    Unknown(Box<str>),
}

/// Decodes a property name without allocating when it is a known one.
pub(crate) struct KeySeed<K>(PhantomData<K>);

impl<K> KeySeed<K> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<'de, K: KnownKey> DeserializeSeed<'de> for KeySeed<K> {
    type Value = Key<K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: KnownKey> Visitor<'de> for KeySeed<K> {
    type Value = Key<K>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a property name")
    }

    // Borrowed and owned names arrive here too, through the trait's defaults.
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(K::named(name).map_or_else(|| Key::Unknown(name.into()), Key::Known))
    }
}
