/// Where the walk is inside one array or object.
enum Level {
    Array {
        index: usize,
    },
    Object {
        key: Option<(usize, usize)>,
        awaits_value: bool,
    },
}

/// The path of the value that stands at `offset`, as `channelData.items[3]`.
///
/// For messages only: the text need not be valid JSON, and the path is as good as the text.
pub(super) fn path_to(json: &[u8], offset: usize) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < offset {
        match json.get(at) {
            Some(b'{') => levels.push(Level::Object {
                key: None,
                awaits_value: false,
            }),
            Some(b'[') => levels.push(Level::Array { index: 0 }),
            Some(b'}' | b']') => drop(levels.pop()),
            Some(b':') => {
                if let Some(Level::Object { awaits_value, .. }) = levels.last_mut() {
                    *awaits_value = true;
                }
            }
            Some(b',') => match levels.last_mut() {
                Some(Level::Array { index }) => *index += 1,
                Some(Level::Object { awaits_value, .. }) => *awaits_value = false,
                None => {}
            },
            Some(b'"') => {
                let end = end_of_string(json, at + 1);
                if end >= offset {
                    break;
                }
                if let Some(Level::Object {
                    key,
                    awaits_value: false,
                }) = levels.last_mut()
                {
                    *key = Some((at + 1, end));
                }
                at = end;
            }
            Some(_) => {}
            None => break,
        }
        at += 1;
    }
    render(json, &levels)
}

fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match json.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return at,
            Some(_) => at += 1,
        }
    }
}

fn render(json: &[u8], levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Array { index } => path.push_str(&format!("[{index}]")),
            Level::Object {
                key: Some((start, end)),
                awaits_value: true,
            } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&String::from_utf8_lossy(
                    json.get(*start..*end).unwrap_or_default(),
                ));
            }
            Level::Object { .. } => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::path_to;

    fn path(json: &str) -> String {
        let offset = json.find('!').expect("a mark");
        path_to(json.as_bytes(), offset)
    }

    #[test]
    fn names_the_place_through_objects_and_arrays() {
        assert_eq!(path(r#"{"text":"!"}"#), "text");
        assert_eq!(
            path(r#"{"a":{"x":"]"},"channelData":{"items":[1,[],{"deep":"a!"}]}}"#),
            "channelData.items[2].deep"
        );
        assert_eq!(path(r#"{"a":1,"!":2}"#), "", "in a key: the object that has it");
        assert_eq!(path(r#"{"a\"b":"!"}"#), r#"a\"b"#);
        assert_eq!(path(r#"["x","!"]"#), "[1]");
    }

    #[test]
    fn text_that_is_not_json_gets_some_path() {
        for json in ["!", "}}]!", "\"\\", "{\"a\":!", "{,,:!", "{\"a\":\"\\"] {
            path_to(json.as_bytes(), json.len());
        }
    }
}
