//! What the user wrote, as an argument.

use std::fmt;
use std::ops::Deref;

use super::FromTurn;
use crate::error::Result;
use crate::router::utterance;
use crate::turn::TurnContext;

/// What the user wrote: trimmed, without the mention of the bot that group chats put into it, otherwise
/// unchanged. Empty if the activity has no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromTurn for Text {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        Ok(Self(utterance::of(turn.activity()).trim().to_owned()))
    }
}
