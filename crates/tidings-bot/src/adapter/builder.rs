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
    deduplication: Option<DeduplicationLimits>,
    clock: Arc<dyn Clock>,
    max_turns: usize,
    turn_limit: Duration,
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
            deduplication: Some(DeduplicationLimits::default()),
            clock: Arc::new(SystemClock),
            max_turns: MAX_TURNS,
            turn_limit: TURN_LIMIT,
        }
    }
}

impl AdapterBuilder {
    /// What runs in each turn.
    pub fn bot(mut self, bot: impl Bot) -> Self {
        self.bot = Some(Arc::new(bot));
        self
    }

    /// Sends through `client`.
    pub fn connector(self, client: ConnectorClient) -> Self {
        self.outbound(Arc::new(ConnectorOutbound::new(client)))
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

    /// Where state is kept. If it is a [`Database`], state and staged steps are committed together.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Where staged steps are committed when the [`storage`](Self::storage) is not a database. It must have
    /// been opened with [`MIGRATIONS`](super::MIGRATIONS). Steps are then committed before the state, at most
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

    /// How much is remembered in memory to recognise redelivered activities; `None` leaves that to an
    /// [observer](Self::observer) of yours.
    pub fn deduplication(mut self, limits: Option<DeduplicationLimits>) -> Self {
        self.deduplication = limits;
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
        let deduplication = self.deduplication.map(|limits| {
            Arc::new(Deduplication::new(limits, Arc::clone(&self.clock))) as Arc<dyn TurnObserver>
        });
        let database = self
            .storage
            .as_ref()
            .and_then(|storage| storage.database().cloned())
            .or(self.database);
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
                observers: deduplication.into_iter().chain(self.observers).collect(),
                clock: self.clock,
                gate: Gate::new(),
                in_flight: InFlight::new(self.max_turns),
                running: RunningTurns::default(),
                turn_limit: self.turn_limit,
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
}
