//! What stands between the channels and the bot.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidings_connector::ServiceUrlPolicy;
use tidings_store::{Clock, Database, Storage};

use crate::bot::Bot;
use crate::error::Result;
use crate::gate::Gate;
use crate::in_flight::InFlight;
use crate::inbox::Inbox;
use crate::middleware::Middleware;
use crate::observer::TurnObserver;
use crate::outbound::Outbound;
use crate::services::Services;
use crate::state::{BotState, StateError};

mod builder;
mod commit;
mod create_conversation;
mod inbound_turn;
mod proactive_turn;
mod resume;
mod run;
mod running;
mod slow;
mod validate;

pub use builder::{AdapterBuilder, BuildError};
pub use create_conversation::CreateConversation;
pub use proactive_turn::ContinuationFailed;

use running::RunningTurns;

/// What stands between the channels and the bot: it runs turns. Clones are the same adapter.
///
/// - [`process`](Self::process) runs the turn of an activity that arrived;
/// - [`resume`](Self::resume) takes up the turns that an earlier process acknowledged and did not finish;
/// - [`continue_conversation`](Self::continue_conversation) and
///   [`create_conversation`](Self::create_conversation) are the two doors to a turn in which the bot speaks
///   first.
///
/// In each conversation one turn runs at a time, in the order in which they came; different conversations run
/// at once. A turn is a task of its own: a caller that hangs up does not cut it in half, and a panic ends the
/// turn, not the process.
///
/// ```no_run
/// use tidings_bot::{Adapter, Inbound, Result, Router, Text, TurnContext};
/// use tidings_connector::ConnectorClient;
///
/// async fn echo(turn: &mut TurnContext, text: Text) -> Result<()> {
///     turn.say(format!("You said {text}")).await
/// }
///
/// # async fn example(activity: tidings_activity::Activity) -> Result<()> {
/// let adapter = Adapter::builder()
///     .connector(ConnectorClient::builder().build()?)
///     .bot(Router::new().otherwise(echo))
///     .build()?;
/// let response = adapter.process(Inbound::anonymous(activity)).await?;
/// println!("answer the channel with {}", response.status);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Adapter {
    core: Arc<Core>,
}

struct Core {
    bot: Arc<dyn Bot>,
    middleware: Vec<Arc<dyn Middleware>>,
    services: Services,
    outbound: Arc<dyn Outbound>,
    service_urls: Option<ServiceUrlPolicy>,
    storage: Option<Arc<dyn Storage>>,
    database: Option<Database>,
    states: Vec<BotState>,
    /// Where there is a database.
    inbox: Option<Arc<Inbox>>,
    observers: Vec<Arc<dyn TurnObserver>>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    in_flight: InFlight,
    running: RunningTurns,
    turn_limit: Duration,
    slow_turn_after: Duration,
    error_limit: Duration,
}

impl Adapter {
    /// An adapter to be set up.
    pub fn builder() -> AdapterBuilder {
        AdapterBuilder::default()
    }

    /// The registered services.
    pub fn services(&self) -> &Services {
        &self.core.services
    }

    /// The gate that lets one turn at a time into each conversation. Whoever sends proactively beside the
    /// turns enters here too, so as not to speak in the middle of one.
    pub fn gate(&self) -> &Gate {
        &self.core.gate
    }

    /// The adapter's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.core.clock
    }

    /// Where activities go: the connector, unless the adapter was built with something else.
    pub fn outbound(&self) -> Arc<dyn Outbound> {
        Arc::clone(&self.core.outbound)
    }

    /// How many turns run or wait for their conversation at this moment.
    pub fn turns_in_flight(&self) -> usize {
        self.core.in_flight.running()
    }

    /// Starts no more turns, and returns when the running ones and those that wait for their conversation
    /// have ended. Each of them is bounded by the turn limit.
    pub async fn shutdown(&self) {
        self.core.in_flight.close().await;
    }

    pub(crate) fn storage(&self) -> Result<&Arc<dyn Storage>> {
        Ok(self.core.storage.as_ref().ok_or(StateError::NoStorage)?)
    }

    pub(crate) fn state(&self, name: &str) -> Option<&BotState> {
        self.core.states.iter().find(|state| state.name() == name)
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter")
            .field("services", &self.core.services)
            .field("turns_in_flight", &self.turns_in_flight())
            .finish_non_exhaustive()
    }
}
