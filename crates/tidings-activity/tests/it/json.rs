//! JSON in which nothing is lost: order, duplicate keys and the spelling of numbers. What the tests compare by.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// As spelled.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads valid JSON; of duplicate keys the last value wins at the place of the first.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        match text.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Bool(text == "true"),
            Some(b'"') => Self::Text(serde_json::from_str(text).expect("a string")),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text).expect("an array");
                Self::Array(items.into_iter().map(|item| Self::parse(item.get())).collect())
            }
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text).expect("an object");
                let parsed = members
                    .into_iter()
                    .map(|(name, value)| (name, Self::parse(value.get())));
                Self::Object(last_wins(parsed.collect()))
            }
            _ => Self::Number(text.to_owned()),
        }
    }

    /// Of duplicate keys the last value, at the place of the first; at every level.
    pub(crate) fn without_duplicates(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::without_duplicates).collect()),
            Self::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name, value.without_duplicates()));
                Self::Object(last_wins(members.collect()))
            }
            other => other,
        }
    }
}

fn last_wins(members: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<(String, Json)> = Vec::new();
    for (name, value) in members {
        match places.get(&name) {
            Some(&place) => kept[place].1 = value,
            None => {
                places.insert(name.clone(), kept.len());
                kept.push((name, value));
            }
        }
    }
    kept
}

impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(spelling) => formatter.write_str(spelling),
            Self::Text(text) => write!(formatter, "{}", serde_json::Value::from(text.as_str())),
            Self::Array(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if index == 0 { "" } else { " ,\n" })?;
                }
                formatter.write_str("]")
            }
            Self::Object(members) => {
                formatter.write_str("{")?;
                for (index, (name, value)) in members.iter().enumerate() {
                    let name = serde_json::Value::from(name.as_str());
                    write!(formatter, "{}{name}: {value}", if index == 0 { "" } else { "," })?;
                }
                formatter.write_str(" }")
            }
        }
    }
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
