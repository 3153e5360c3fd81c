//! The language of a turn.

use super::TurnContext;

impl TurnContext {
    /// The language of the turn as a BCP 47 tag: what [`set_locale`](Self::set_locale) said, else the
    /// activity's own. One that is not shaped like a language tag is ignored.
    pub fn locale(&self) -> Option<&str> {
        self.locale.as_deref().or_else(|| {
            self.inbound
                .activity
                .locale
                .as_deref()
                .filter(|tag| is_language_tag(tag))
        })
    }

    /// Decides the language for the rest of the turn. Outgoing activities keep the activity's own locale.
    pub fn set_locale(&mut self, tag: impl Into<String>) {
        self.locale = Some(tag.into());
    }
}

/// Whether `tag` has the shape of a BCP 47 tag: subtags of one to eight letters and digits, the first of
/// letters only.
fn is_language_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let language = subtags.next().unwrap_or_default();
    (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| {
            (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::is_language_tag;

    #[test]
    fn language_tags_are_told_from_anything_else() {
        for tag in [
            "de",
            "en-US",
            "zh-Hant-TW",
            "sl-rozaj-biske",
            "de-DE-u-co-phonebk",
        ] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for tag in [
            "",
            "e",
            "en_US",
            "en-",
            "-en",
            "e1",
            "englishlanguage",
            "en US",
            "en-abcdefghi",
        ] {
            assert!(!is_language_tag(tag), "{tag}");
        }
    }
}
