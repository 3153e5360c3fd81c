//! Patterns of messages: `done {job}`, `remind me {what..}`.

use std::sync::Arc;

use super::Captures;

/// A pattern with at least one capture, or on the way to [`Pattern::into_exact`].
#[derive(Debug)]
pub(super) struct Pattern {
    words: Vec<Word>,
}

#[derive(Debug)]
enum Word {
    /// One word, folded.
    Literal(Box<str>),
    /// Any one word.
    Capture(Arc<str>),
    /// All words that are left, at least one.
    Rest(Arc<str>),
}

impl Pattern {
    pub(super) fn parse(source: &str) -> Result<Self, &'static str> {
        let mut words: Vec<Word> = Vec::new();
        for word in source.split_whitespace() {
            if matches!(words.last(), Some(Word::Rest(_))) {
                return Err("has words after {name..}, which takes all that are left");
            }
            let parsed = match word.strip_prefix('{').map(|inside| inside.strip_suffix('}')) {
                None if word.contains(['{', '}']) => {
                    return Err("has a brace inside a word; a {name} stands alone");
                }
                None => Word::Literal(fold(word).into()),
                Some(None) => return Err("has an unfinished {name}"),
                Some(Some(inside)) => {
                    let (name, rest) = match inside.strip_suffix("..") {
                        Some(name) => (name, true),
                        None => (inside, false),
                    };
                    if name.is_empty() || name.contains(['{', '}', '.']) {
                        return Err("has a capture without a proper name; write {name} or {name..}");
                    }
                    if words.iter().any(|word| word.name() == Some(name)) {
                        return Err("has two captures of the same name");
                    }
                    if rest {
                        Word::Rest(name.into())
                    } else {
                        Word::Capture(name.into())
                    }
                }
            };
            words.push(parsed);
        }
        if words.is_empty() {
            Err("has no words; use Router::otherwise for any other text")
        } else {
            Ok(Self { words })
        }
    }

    /// The folded text that alone fits, if the pattern has no captures.
    pub(super) fn into_exact(self) -> Result<Box<str>, Self> {
        let mut text = String::new();
        for word in &self.words {
            let Word::Literal(literal) = word else {
                return Err(self);
            };
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(literal);
        }
        Ok(text.into())
    }

    /// What the captures stand for, if `text` fits. `folded` is `fold(text)`.
    pub(super) fn captures(&self, text: &str, folded: &str) -> Option<Captures> {
        // Most patterns fail on their first word: find that out without touching the text.
        let mut folded_words = folded.split(' ').filter(|word| !word.is_empty());
        let mut words = text.split_whitespace();
        let mut captures = Captures::default();
        for expected in &self.words {
            let folded_word = folded_words.next()?;
            let word = words.next()?;
            match expected {
                Word::Literal(literal) if **literal == *folded_word => {}
                Word::Literal(_) => return None,
                Word::Capture(name) => captures.push(name, word),
                Word::Rest(name) => {
                    captures.push(name, text[offset_of(text, word)..].trim_end());
                    return Some(captures);
                }
            }
        }
        folded_words.next().is_none().then_some(captures)
    }
}

impl Word {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Capture(name) | Self::Rest(name) => Some(name),
        }
    }
}

/// Where `part`, a slice of `text`, begins.
fn offset_of(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// `text` in lower case, its words separated by single spaces.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        if word.is_ascii() {
            folded.extend(word.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
        } else {
            folded.push_str(&word.to_lowercase());
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
        let captures = Pattern::parse(pattern).unwrap().captures(text, &fold(text))?;
        Some(
            captures
                .iter()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    fn pairs(expected: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        Some(
            expected
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn case_and_white_space_do_not_matter_but_the_capture_keeps_its_spelling() {
        assert_eq!(
            captured("done {job}", "  DONE\t\u{a0} Ab7 "),
            pairs(&[("job", "Ab7")])
        );
        assert_eq!(captured("Größe {x}", "GRÖSSE 7"), None);
        assert_eq!(captured("ΌΔΟΣ {x}", "όδος 7"), pairs(&[("x", "7")]));
    }

    #[test]
    fn a_capture_is_exactly_one_word_and_a_rest_at_least_one() {
        assert_eq!(captured("done {job}", "done"), None);
        assert_eq!(captured("done {job}", "done 1 2"), None);
        assert_eq!(captured("say {text..}", "say"), None);
        assert_eq!(
            captured("say {text..}", "say  Hello,   World  "),
            pairs(&[("text", "Hello,   World")])
        );
        assert_eq!(
            captured("move {from} to {to}", "Move A TO B"),
            pairs(&[("from", "A"), ("to", "B")])
        );
        assert_eq!(captured("{word}", "anything"), pairs(&[("word", "anything")]));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in [
            "",
            "  ",
            "{",
            "done {job",
            "done job}",
            "{}",
            "{..}",
            "{a..} b",
            "{a} {a}",
            "x{a}",
            "{a}{b}",
            "{a.b}",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_folding_is_stable(text in ".{0,60}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded.clone());
            prop_assert_eq!(folded.split(' ').filter(|word| !word.is_empty()).count(), text.split_whitespace().count());
            let _ = captured("{first} {rest..}", &text);
        }

        #[test]
        fn the_rest_is_what_was_written(head in "[a-z]{1,5}", rest in "[a-zA-Z0-9é]{1,8}( {1,3}[A-Za-z]{1,8}){0,3}") {
            let pattern = format!("{head} {{rest..}}");
            let text = format!("{head} {rest}");
            prop_assert_eq!(captured(&pattern, &text), pairs(&[("rest", &rest)]));
        }
    }
}
