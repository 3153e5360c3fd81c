//! The names and values of one environment: the process's, or that of a `.env` file.

use std::collections::HashMap;

use super::key::PORT;

/// What our own variables begin with.
const OURS: &str = "TIDINGS_";

/// Names with their values.
///
/// Our own names and `PORT` are matched exactly. Those of the Bot Framework and the Agents SDK are matched as written
/// first, and then in any case: .NET does not tell cases apart, and some platforms write all names in capitals.
pub(super) struct Names(HashMap<String, String>);

impl Names {
    pub(super) fn new(names: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The name as it is written there, and its value.
    pub(super) fn get(&self, name: &str) -> Option<(&str, &str)> {
        if let Some((written, value)) = self.0.get_key_value(name) {
            return Some((written, value));
        }
        if name.starts_with(OURS) || name == PORT {
            return None;
        }
        // The least of several, so that each start reads the same.
        self.iter()
            .filter(|(written, _)| written.eq_ignore_ascii_case(name))
            .min()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(written, value)| (written.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_as_written_comes_first_and_ours_are_exact() {
        let names = Names::new(
            [
                ("MICROSOFTAPPID", "capitals"),
                ("microsoftappid", "small"),
                ("botfilepath", "a.bot"),
                ("BotFilePath", "b.bot"),
                ("botFilePath", "c.bot"),
                ("tidings_listen", "4000"),
                ("port", "4001"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(names.get("MicrosoftAppId"), Some(("MICROSOFTAPPID", "capitals")));
        assert_eq!(names.get("botFilePath"), Some(("botFilePath", "c.bot")));
        assert_eq!(names.get("TIDINGS_LISTEN"), None);
        assert_eq!(names.get(PORT), None);
        assert_eq!(names.get("MicrosoftAppPassword"), None);
    }
}
