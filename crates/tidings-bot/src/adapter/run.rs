//! The middle of every turn: middleware, bot, commit, and what happens when one of them fails.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tidings_activity::{Activity, Raw};
use tokio::time::timeout;

use super::Core;
use super::inbound_turn::Origin;
use super::running::Running;
use crate::activity_key::ActivityKey;
use crate::error::{Error, Result};
use crate::inbound::TurnResponse;
use crate::inbox::{Known, Superseded};
use crate::middleware::{Logic, Next};
use crate::observer::TurnFacts;
use crate::process_error::TurnFailure;
use crate::turn::TurnContext;

/// How long tracing a failure to the Emulator may take.
const TRACE_LIMIT: Duration = Duration::from_secs(5);

/// A turn that failed. Nothing of it was kept.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether the bot's `on_turn_error` returned `Ok`.
    pub(super) settled: bool,
    /// What another node has answered, whose turn of the same activity was committed first.
    pub(super) answered: Option<TurnResponse>,
}

impl Core {
    /// Runs `logic` inside the middleware, commits what it staged, and gives the answer.
    pub(super) async fn run_turn(
        &self,
        turn: &mut TurnContext,
        origin: Option<&Origin<'_>>,
        logic: Logic<'_>,
    ) -> Result<TurnResponse, Failed> {
        let next = Next::new(&self.middleware, logic);
        let ran = bounded(self.turn_limit, next.run(turn)).await;
        let response =
            ran.and_then(|()| origin.map_or(Ok(TurnResponse::ok()), |origin| origin.response(turn)));
        let running = origin.map(|origin| origin.running);
        let ended = match response {
            Ok(response) => self
                .commit_turn(turn, running, &response)
                .await
                .map(|()| response),
            Err(error) => Err(error),
        };
        match ended {
            Ok(response) => Ok(response),
            Err(error) if Superseded::is(&error) => {
                Err(Box::pin(self.superseded(turn, running, error)).await)
            }
            // Boxed, so that the task of a turn that ends well has no room for it: tasks are moved when they start.
            Err(error) => Err(Box::pin(self.turn_failed(turn, running, error)).await),
        }
    }

    /// The sender is answered as by the node that was first. For the user nothing has failed.
    async fn superseded(&self, turn: &mut TurnContext, running: Option<&Running>, error: Error) -> Failed {
        tracing::info!(
            turn.conversation = turn.conversation().as_str(),
            turn.activity_id = turn.activity().id.as_deref(),
            "another node has had the turn of the same activity; nothing of this one was kept"
        );
        let key = running.and_then(|running| running.arrived().key.as_ref());
        let answered = match (&self.inbox, key) {
            (Some(inbox), Some(key)) => match inbox.find(key).await {
                Ok(Known::Answered(response)) => Some(response),
                // It was committed in part, and its node goes on.
                Ok(Known::No | Known::Half(_)) => None,
                Err(error) => {
                    tracing::warn!(error = %error, "what another node has answered could not be read");
                    None
                }
            },
            // Without a key only what was acknowledged can be another node's.
            _ => Some(TurnResponse::accepted()),
        };
        Failed {
            error,
            settled: false,
            answered,
        }
    }

    pub(super) fn facts<'a>(turn: &'a TurnContext, key: Option<&'a ActivityKey>) -> TurnFacts<'a> {
        TurnFacts {
            activity: turn.activity(),
            kind: turn.kind(),
            conversation: turn.conversation(),
            responded: turn.responded(),
            activity_key: key,
        }
    }

    /// Logs the failure, traces it for the Emulator, and lets the bot apologise.
    async fn turn_failed(&self, turn: &mut TurnContext, running: Option<&Running>, error: Error) -> Failed {
        tracing::error!(
            turn.conversation = turn.conversation().as_str(),
            turn.activity_id = turn.activity().id.as_deref(),
            error = %error,
            "a turn failed and nothing of it was kept"
        );
        turn.fail(error.clone());
        if turn.is_emulator() {
            // Bounded on its own, so that whatever goes wrong with the trace does not take the apology with
            // it.
            if let Err(untraced) = bounded(TRACE_LIMIT, turn.trace(trace_of(&error))).await {
                tracing::debug!(error = %untraced, "the failure could not be traced");
            }
        }
        let handled = bounded(self.error_limit, self.bot.on_turn_error(turn, error.clone())).await;
        let settled = match handled {
            // What the apology itself staged or changed. No observer hears of it: the turn has failed.
            Ok(()) => self.commit_staged(turn, running).await.map(|()| true),
            Err(again) => Err(again),
        };
        let settled = settled.unwrap_or_else(|again| {
            // The default handler hands the same error back; that is no news.
            if !std::ptr::addr_eq(again.as_std(), error.as_std()) {
                tracing::error!(
                    turn.conversation = turn.conversation().as_str(),
                    error = %again,
                    "on_turn_error failed too"
                );
            }
            false
        });
        Failed {
            error,
            settled,
            answered: None,
        }
    }
}

/// The trace by which the Emulator shows that a turn failed (Bot Framework SDK convention).
fn trace_of(error: &Error) -> Activity {
    let trace = Activity::trace("OnTurnError Trace")
        .with_label("TurnError")
        .with_value_type("https://www.botframework.com/schemas/error");
    match Raw::new(&error.to_string()) {
        Ok(value) => trace.with_value(value),
        Err(_) => trace,
    }
}

/// Runs code of others: a panic and running too long become errors.
async fn bounded(limit: Duration, work: impl Future<Output = Result<()>>) -> Result<()> {
    // The turn is only used afterwards to drop what was staged and to say sorry, so no half-made change is
    // ever seen.
    match timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(TurnFailure::Panicked {
            message: panic_message(&*panic),
        }
        .into()),
        Err(_) => Err(TurnFailure::TimedOut { limit }.into()),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
