//! How an adapter is set up.

use std::sync::Arc;
use std::time::Duration;

use tidings_connector::{ConnectorClient, ServiceUrlPolicy};
use tidings_store::{Clock, Database, Storage, SystemClock};

use super::running::RunningTurns;
use super::{Adapter, Core};
use crate::bot::Bot;
use crate::gate::Gate;
use crate::in_flight::InFlight;
use crate::inbox::{Inbox, MIGRATIONS};
use crate::middleware::Middleware;
use crate::observer::{Deduplication, DeduplicationLimits, TurnObserver};
use crate::outbound::{ConnectorOutbound, Outbound};
use crate::services::Services;
use crate::state::BotState;

/// How many turns run or wait at once, unless [`AdapterBuilder::max_turns`] says otherwise: half of it is for one
/// conversation, which a thousand messages at once must not fill.
const MAX_TURNS: usize = 2048;

/// How long a turn may take, unless [`AdapterBuilder::turn_limit`] says otherwise: four times what a channel
/// waits for.
const TURN_LIMIT: Duration = Duration::from_secs(60);

/// After how long a turn is acknowledged, unless [`AdapterBuilder::slow_turn_after`] says otherwise.
const SLOW_TURN_AFTER: Duration = Duration::from_secs(5);

/// How long a channel waits for its answer before it may deliver again (protocol section 3.2).
const CHANNEL_PATIENCE: Duration = Duration::from_secs(15);

/// After how long the acknowledged turns of a silent node are another's, unless
/// [`AdapterBuilder::take_over_after`] says otherwise.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(30);

/// How long `on_turn_error` may take: enough for an apology that the channel asks to wait with.
const ERROR_LIMIT: Duration = Duration::from_secs(15);

/// Sets up an [`Adapter`]. It needs a [`bot`](Self::bot) and a [`connector`](Self::connector); the rest is
/// optional.
#[must_use = "nothing is set up before build"]
pub struct AdapterBuilder {
    bot: Option<Arc<dyn Bot>>,
    outbound: Option<Arc<dyn Outbound>>,
    service_urls: Option<ServiceUrlPolicy>,
    middleware: Vec<Arc<dyn Middleware>>,
    services: Services,
    storage: Option<Arc<dyn Storage>>,
    database: Option<Database>,
    states: Vec<BotState>,
    observers: Vec<Arc<dyn TurnObserver>>,
    deduplication: Remembered,
    clock: Arc<dyn Clock>,
    max_turns: usize,
    turn_limit: Duration,
    slow_turn_after: Duration,
    take_over_after: Duration,
}

/// How much is remembered of past activities.
#[derive(Clone, Copy)]
enum Remembered {
    Default,
    Limits(DeduplicationLimits),
    Nothing,
}

impl Default for AdapterBuilder {
    fn default() -> Self {
        Self {
            bot: None,
            outbound: None,
            service_urls: None,
            middleware: Vec::new(),
            services: Services::new(),
            storage: None,
            database: None,
            states: Vec::new(),
            observers: Vec::new(),
            deduplication: Remembered::Default,
            clock: Arc::new(SystemClock),
            max_turns: MAX_TURNS,
            turn_limit: TURN_LIMIT,
            slow_turn_after: SLOW_TURN_AFTER,
            take_over_after: TAKE_OVER_AFTER,
        }
    }
}

impl AdapterBuilder {
    /// What runs in each turn.
    pub fn bot(mut self, bot: impl Bot) -> Self {
        self.bot = Some(Arc::new(bot));
        self
    }

    /// Sends through `client`, which [`TurnContext::connector`](crate::TurnContext::connector) gives to the handlers.
    pub fn connector(self, client: ConnectorClient) -> Self {
        self.outbound(Arc::new(ConnectorOutbound::new(client.clone())))
            .service(client)
    }

    /// Sends through something other than a connector.
    pub fn outbound(mut self, outbound: Arc<dyn Outbound>) -> Self {
        self.outbound = Some(outbound);
        self
    }

    /// Refuses inbound activities (403) whose `serviceUrl` is not allowed. Without it they are refused only
    /// when the bot answers, by the connector.
    pub fn service_urls(mut self, policy: ServiceUrlPolicy) -> Self {
        self.service_urls = Some(policy);
        self
    }

    /// Adds a middleware; the first added is the outermost.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// Registers a service for the handlers.
    pub fn service<T: Clone + Send + Sync + 'static>(mut self, service: T) -> Self {
        self.services.insert(service);
        self
    }

    /// Where state is kept. If it is a [`Database`], it must have been opened with [`MIGRATIONS`], and a turn's
    /// state, its staged steps and the row by which its activity is recognised are committed together.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Where staged steps are committed, and activities remembered, when the [`storage`](Self::storage) is not a
    /// database. It must have been opened with [`MIGRATIONS`]. Steps are then committed before the state, at most
    /// once for each inbound activity.
    pub fn database(mut self, database: Database) -> Self {
        self.database = Some(database);
        self
    }

    /// Registers a custom state, so that a [`StateProperty`](crate::StateProperty) can name it. The three
    /// usual scopes need not be registered, and no state needs it to be saved.
    pub fn state(mut self, state: BotState) -> Self {
        self.states.push(state);
        self
    }

    /// Adds an observer of all turns.
    pub fn observer(mut self, observer: Arc<dyn TurnObserver>) -> Self {
        self.observers.push(observer);
        self
    }

    /// How much is remembered to recognise redelivered activities: in the database, or in memory where there is
    /// none.
    ///
    /// `None` leaves all of that to an [observer](Self::observer) of yours. Slow turns are then not acknowledged, and
    /// a turn that runs again may take its steps twice where state is kept elsewhere.
    pub fn deduplication(mut self, limits: Option<DeduplicationLimits>) -> Self {
        self.deduplication = limits.map_or(Remembered::Nothing, Remembered::Limits);
        self
    }

    /// After how long a turn that still runs, or waits behind others of its conversation, is acknowledged with 202.
    /// Default 5 s; it must be less than the 15 s that a channel waits.
    ///
    /// The activity is stored before it is acknowledged, and a turn that the process does not finish is run by the next
    /// one: see [`Adapter::resume`]. An invoke, and a message that expects its replies in the answer, is never
    /// acknowledged, nor is anything without a database.
    pub fn slow_turn_after(mut self, after: Duration) -> Self {
        self.slow_turn_after = after;
        self
    }

    /// Where several nodes share the database: after how long without a sign of life another node takes up the turns
    /// that this one has acknowledged. Default 30 s; it must be more than the clocks of the nodes differ by. A node that
    /// only seemed to be gone keeps nothing of a turn that was taken from it.
    pub fn take_over_after(mut self, after: Duration) -> Self {
        self.take_over_after = after;
        self
    }

    /// Where the time comes from; the machine's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How many turns may run or wait for their conversation at once; more are refused with
    /// [`ProcessError::Overloaded`](crate::ProcessError::Overloaded). Default 2048.
    ///
    /// No more may wait for one conversation than there are places left. So a conversation whose handler hangs
    /// takes half of them at most, and the others go on.
    pub fn max_turns(mut self, max_turns: usize) -> Self {
        self.max_turns = max_turns;
        self
    }

    /// How long the middleware and the bot may take in one turn; the turn is then cut off at its last `await`
    /// and counts as failed, so that a handler that hangs does not block its conversation for ever. Waiting
    /// behind other turns does not count. Default 60 s.
    pub fn turn_limit(mut self, limit: Duration) -> Self {
        self.turn_limit = limit;
        self
    }

    /// The adapter.
    ///
    /// # Errors
    /// [`BuildError`] says what is missing.
    pub fn build(self) -> Result<Adapter, BuildError> {
        if self.slow_turn_after >= CHANNEL_PATIENCE {
            return Err(BuildError::SlowTurnAfter {
                after: self.slow_turn_after,
            });
        }
        let database = self
            .storage
            .as_ref()
            .and_then(|storage| storage.database().cloned())
            .or(self.database);
        if database
            .as_ref()
            .is_some_and(|database| !database.has_component(MIGRATIONS.component))
        {
            return Err(BuildError::NoTables);
        }
        let limits = match self.deduplication {
            Remembered::Nothing => None,
            Remembered::Limits(limits) => Some(limits),
            Remembered::Default if database.is_some() => Some(DeduplicationLimits::default()),
            Remembered::Default => Some(DeduplicationLimits::in_memory()),
        };
        let (mut inbox, mut observers) = (None, self.observers);
        match (limits, &database) {
            (None, _) => {}
            (Some(limits), Some(database)) => {
                inbox = Some(Arc::new(Inbox::new(
                    database.clone(),
                    limits,
                    Arc::clone(&self.clock),
                    self.take_over_after,
                )));
            }
            (Some(limits), None) => {
                observers.insert(0, Arc::new(Deduplication::new(limits, Arc::clone(&self.clock))));
            }
        }
        Ok(Adapter {
            core: Arc::new(Core {
                bot: self.bot.ok_or(BuildError::NoBot)?,
                outbound: self.outbound.ok_or(BuildError::NoOutbound)?,
                service_urls: self.service_urls,
                middleware: self.middleware,
                services: self.services,
                storage: self.storage,
                database,
                states: self.states,
                inbox,
                observers,
                clock: self.clock,
                gate: Gate::new(),
                in_flight: InFlight::new(self.max_turns),
                running: RunningTurns::default(),
                turn_limit: self.turn_limit,
                slow_turn_after: self.slow_turn_after,
                error_limit: ERROR_LIMIT,
            }),
        })
    }
}

/// What an adapter cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is nothing to run.
    #[error("the adapter has no bot; give it one with AdapterBuilder::bot")]
    NoBot,
    /// There is no way out.
    #[error("the adapter has no way to send; give it a connector with AdapterBuilder::connector")]
    NoOutbound,
    /// The database was opened without the tables that turns are recorded in.
    #[error(
        "the adapter's database has no tables for turns; open it with \
         DatabaseOptions::component(tidings_bot::MIGRATIONS)"
    )]
    NoTables,
    /// A channel would have given up before its activity is acknowledged.
    #[error(
        "slow_turn_after: {} s is too long, a channel delivers again after {} s; set less",
        after.as_secs_f64(),
        CHANNEL_PATIENCE.as_secs()
    )]
    SlowTurnAfter {
        /// What was asked for.
        after: Duration,
    },
}
