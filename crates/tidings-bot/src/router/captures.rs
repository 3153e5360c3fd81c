//! What the captures of a pattern stand for.

use std::sync::Arc;

use crate::error::Result;
use crate::extract::FromTurn;
use crate::turn::TurnContext;

/// What the `{name}`s of the route's pattern stand for in this message, in the user's spelling. Empty if the
/// pattern has none. An extractor; [`Capture`](crate::Capture) takes a single one, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captures {
    values: Vec<(Arc<str>, String)>,
    taken: usize,
}

impl Captures {
    pub(super) fn push(&mut self, name: &Arc<str>, text: &str) {
        self.values.push((Arc::clone(name), text.to_owned()));
    }

    /// What `{name}` stands for.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, text)| text)
    }

    /// Name and text of all captures, in the pattern's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, text)| (&**name, text.as_str()))
    }

    /// Whether the pattern has no captures.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The next capture that no argument of the handler has taken.
    pub(crate) fn take_next(&mut self) -> Option<(Arc<str>, String)> {
        let next = self.values.get(self.taken).cloned()?;
        self.taken += 1;
        Some(next)
    }
}

impl FromTurn for Captures {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        Ok(turn.captures_mut().clone())
    }
}
