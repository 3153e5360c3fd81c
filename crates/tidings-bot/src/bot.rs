//! What runs at the heart of a turn.

use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::turn::TurnContext;

/// What runs at the heart of a turn, inside the middleware. A [`Router`](crate::Router) is one.
#[async_trait]
pub trait Bot: Send + Sync + 'static {
    /// Handles the turn. `Ok` commits what was staged, `Err` drops it.
    async fn on_turn(&self, turn: &mut TurnContext) -> Result<()>;

    /// Called when a turn failed, proactive turns included: the place to apologise.
    ///
    /// What the turn had staged is gone by then. `Ok` says that the failure is settled for whoever brought
    /// the activity (HTTP 200); what this handler itself changed or staged is then committed. `Err`, the
    /// default, answers 500. The caller of `continue_conversation` gets `error` either way, and so does
    /// whoever reads the log.
    async fn on_turn_error(&self, _turn: &mut TurnContext, error: Error) -> Result<()> {
        Err(error)
    }
}

#[async_trait]
impl<B: Bot + ?Sized> Bot for Arc<B> {
    async fn on_turn(&self, turn: &mut TurnContext) -> Result<()> {
        (**self).on_turn(turn).await
    }

    async fn on_turn_error(&self, turn: &mut TurnContext, error: Error) -> Result<()> {
        (**self).on_turn_error(turn, error).await
    }
}
