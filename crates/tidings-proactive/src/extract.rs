//! The handles as arguments of a handler.

use tidings_bot::{FromTurn, Result, TurnContext};

use crate::jobs::Jobs;
use crate::proactive::Proactive;

impl FromTurn for Jobs {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        turn.service()
    }
}

impl FromTurn for Proactive {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        turn.service()
    }
}
