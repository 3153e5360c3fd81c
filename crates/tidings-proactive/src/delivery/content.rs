use serde::Deserialize;

/// The longest text that is told in short, in characters.
const MAX_TEXT: usize = 200;

/// What is owed, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// An activity.
    Activity {
        /// Its type, such as `message`; empty if it does not say.
        kind: String,
        /// The beginning of its text, at most 200 characters and an ellipsis.
        text: Option<String>,
    },
    /// A handler that runs as a turn of the conversation.
    Handler {
        /// Its name.
        name: String,
    },
}

impl Content {
    /// The beginning of an activity. What is no activity has neither type nor text.
    pub(crate) fn of_activity(json: &str) -> Self {
        #[derive(Default, Deserialize)]
        struct Beginning {
            #[serde(default, rename = "type")]
            kind: Option<String>,
            #[serde(default)]
            text: Option<String>,
        }
        let Beginning { kind, text } = serde_json::from_str(json).unwrap_or_default();
        Content::Activity {
            kind: kind.unwrap_or_default(),
            text: text.map(shortened),
        }
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('\u{2026}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Option<String> {
        match Content::of_activity(json) {
            Content::Activity { text, .. } => text,
            Content::Handler { .. } => None,
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        for (length, kept) in [(199, 199), (200, 200), (201, 201), (5_000, 201)] {
            let json = format!(r#"{{"type":"message","text":"{}"}}"#, "\u{e9}".repeat(length));
            let text = text(&json).unwrap();
            assert_eq!(text.chars().count(), kept, "{length}");
            assert_eq!(text.ends_with('\u{2026}'), length > 200);
        }
    }

    #[test]
    fn what_is_no_activity_has_nothing_to_tell() {
        for json in ["", "[]", "{", r#"{"text":7}"#] {
            assert_eq!(
                Content::of_activity(json),
                Content::Activity {
                    kind: String::new(),
                    text: None
                },
                "{json}"
            );
        }
    }
}
