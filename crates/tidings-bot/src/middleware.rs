//! Code around every turn.

use std::sync::Arc;

use async_trait::async_trait;

use crate::bot::Bot;
use crate::callback::BoxedCallback;
use crate::error::Result;
use crate::turn::TurnContext;

/// Code around every turn, proactive ones included: the first registered is the outermost.
///
/// A middleware that turns the bot's error into `Ok` settles the turn, but what was staged and changed in it until
/// then is gone: a half-done handler leaves nothing.
///
/// ```
/// use tidings_bot::{Middleware, Next, Result, TurnContext, async_trait};
///
/// struct OnlyMessages;
///
/// #[async_trait]
/// impl Middleware for OnlyMessages {
///     async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
///         if turn.activity().as_message().is_none() {
///             return Ok(()); // the bot does not see this turn
///         }
///         next.run(turn).await
///     }
/// }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Runs around the rest of the turn. Not calling [`Next::run`] ends the turn here.
    async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()>;
}

/// The rest of the turn, as a middleware sees it: the middleware further in, then the bot.
pub struct Next<'a> {
    middleware: &'a [Arc<dyn Middleware>],
    logic: Logic<'a>,
}

/// What runs inside all middleware.
pub(crate) enum Logic<'a> {
    Bot(&'a dyn Bot),
    Callback(BoxedCallback),
}

impl<'a> Next<'a> {
    pub(crate) fn new(middleware: &'a [Arc<dyn Middleware>], logic: Logic<'a>) -> Self {
        Self { middleware, logic }
    }

    /// Runs the rest of the turn.
    ///
    /// # Errors
    /// Whatever a middleware further in or the bot returns.
    pub async fn run(self, turn: &mut TurnContext) -> Result<()> {
        match self.middleware {
            [first, rest @ ..] => {
                first
                    .on_turn(
                        turn,
                        Next {
                            middleware: rest,
                            logic: self.logic,
                        },
                    )
                    .await
            }
            [] => {
                let ended = match self.logic {
                    Logic::Bot(bot) => bot.on_turn(turn).await,
                    Logic::Callback(callback) => callback(turn).await,
                };
                if ended.is_err() {
                    turn.drop_staged();
                }
                ended
            }
        }
    }
}
