//! A JSON object as it stands in the file: members in their order, values untouched until somebody asks.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Members in the order of the file. Of a name that stands there twice the last value counts, as in JavaScript.
#[derive(Clone, Default)]
pub(super) struct Object {
    members: Vec<(String, Box<RawValue>)>,
}

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&RawValue> {
        self.members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    }

    /// The value of `name`, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// Sets `name` where it stands, else at the end.
    pub(super) fn set_text(&mut self, name: &str, text: &str) {
        self.set(name, quoted(text));
    }

    pub(super) fn set_object(&mut self, name: &str, object: &Self) {
        self.set(name, object.to_json());
    }

    pub(super) fn set_objects<'a>(&mut self, name: &str, objects: impl Iterator<Item = &'a Self>) {
        let items: Vec<String> = objects.map(Self::to_json).collect();
        self.set(name, format!("[{}]", items.join(",")));
    }

    pub(super) fn set_texts(&mut self, name: &str, texts: impl Iterator<Item = String>) {
        let items: Vec<String> = texts.map(|text| quoted(&text)).collect();
        self.set(name, format!("[{}]", items.join(",")));
    }

    fn set(&mut self, name: &str, json: String) {
        // What was put together here is JSON.
        let Ok(value) = RawValue::from_string(json) else {
            return;
        };
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.members.retain(|(known, _)| known != name);
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some((name, _)) = self.members.iter_mut().find(|(known, _)| known == from) {
            to.clone_into(name);
        }
    }

    pub(super) fn to_json(&self) -> String {
        let members: Vec<String> = self
            .members
            .iter()
            .map(|(name, value)| format!("{}:{}", quoted(name), value.get()))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut places: HashMap<String, usize> = HashMap::new();
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    match places.get(&name) {
                        Some(place) => members[*place].1 = value,
                        None => {
                            places.insert(name.clone(), members.len());
                            members.push((name, value));
                        }
                    }
                }
                Ok(Object { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// How deep objects and lists are nested in `json`.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens(json) {
        match token {
            b"{" | b"[" => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b"}" | b"]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// `json` with each member on a line of its own, indented by four spaces, as the Bot Framework's own tools write it.
pub(super) fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut opened = false;
    for token in tokens(json.as_bytes()) {
        let token = std::str::from_utf8(token).unwrap_or_default();
        let closes = matches!(token, "}" | "]");
        if closes {
            depth = depth.saturating_sub(1);
        }
        if opened != closes {
            // After an opening bracket, unless it closes at once; before a closing one, unless it has just opened.
            new_line(&mut text, depth);
        }
        opened = matches!(token, "{" | "[");
        text.push_str(token);
        match token {
            "{" | "[" => depth += 1,
            ":" => text.push(' '),
            "," => new_line(&mut text, depth),
            _ => {}
        }
    }
    text.push('\n');
    text
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("    ", depth));
}

/// The tokens of a JSON text, without the white space between them. Of a text that is no JSON, some parts.
fn tokens(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = json;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let end = match rest.first()? {
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            b'"' => {
                let mut escaped = false;
                let closing = rest.iter().skip(1).position(|byte| match byte {
                    _ if escaped => {
                        escaped = false;
                        false
                    }
                    b'\\' => {
                        escaped = true;
                        false
                    }
                    byte => *byte == b'"',
                });
                closing.map_or(rest.len(), |at| at + 2)
            }
            _ => rest
                .iter()
                .position(|byte| byte.is_ascii_whitespace() || b"{}[]:,\"".contains(byte))
                .unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_a_line() {
        let json = r#"{"a":[],"b":{},"c":[1,{"d e":"x, [\"y\\"}],"f":1.50e3}"#;
        let text = "{\n    \"a\": [],\n    \"b\": {},\n    \"c\": [\n        1,\n        {\n            \"d e\": \"x, [\\\"y\\\\\"\n        }\n    ],\n    \"f\": 1.50e3\n}\n";
        assert_eq!(indented(json), text);
        assert_eq!(indented(text), text);
        assert_eq!(indented("{}"), "{}\n");
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (json, expected) in [
            ("1", 0),
            ("{}", 1),
            ("[[],{}]", 2),
            (r#"["[[\"[["]"#, 1),
            ("]]]", 0),
        ] {
            assert_eq!(depth(json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn the_last_of_two_members_counts_at_the_place_of_the_first() {
        let object: Object = serde_json::from_str(r#"{"a":1,"b":2,"a":"three"}"#).unwrap();
        assert_eq!(object.to_json(), r#"{"a":"three","b":2}"#);
    }
}
