//! What every route shares.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http::StatusCode;
use jiff::Timestamp;
use tidings_activity::{Activity, ChannelAccount, RoleType, channel};
use tidings_store::{Database, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;

use crate::bot_endpoint::BotEndpoint;
use crate::connector_key::ConnectorKey;
use crate::conversation::{Conversation, signing_key};
use crate::faults::Faults;
use crate::history::{forget_old_everywhere, micros};
use crate::live::LiveSockets;
use crate::options::{DirectLineOptions, Limits};
use crate::order::Order;
use crate::refusal::Refusal;
use crate::token::TokenSigner;
use crate::watcher::watch;

/// How often old activities of quiet conversations are looked for.
const SWEEP: std::time::Duration = std::time::Duration::from_secs(60 * 60);

/// The state of the server.
pub(crate) struct Channel {
    pub(crate) db: Database,
    pub(crate) options: DirectLineOptions,
    pub(crate) tokens: TokenSigner,
    /// What opens the connector side; `None` in local mode, where it is open.
    pub(crate) connector_key: Option<Arc<ConnectorKey>>,
    pub(crate) live: Arc<LiveSockets>,
    pub(crate) order: Arc<Order>,
    pub(crate) faults: Faults,
    pub(crate) tasks: TaskTracker,
    deliveries: Arc<Semaphore>,
    pub(crate) closing: CancellationToken,
    /// The bot's account with its role.
    pub(crate) bot_account: ChannelAccount,
    bot: RwLock<Option<Arc<dyn BotEndpoint>>>,
    swept_at: Mutex<i64>,
    /// Where other nodes speak in the same conversations.
    _watcher: Option<AbortOnDropHandle<()>>,
}

impl Channel {
    pub(crate) async fn open(db: Database, options: DirectLineOptions) -> Result<Arc<Self>, StoreError> {
        let key = db.write(signing_key).await?;
        let live = LiveSockets::new(options.limits.sockets);
        let channel = Arc::new(Self {
            tokens: TokenSigner::new(&key),
            connector_key: options
                .secret
                .as_ref()
                .map(|_| Arc::new(ConnectorKey::derive(&key))),
            _watcher: db.is_multi_node().then(|| watch(db.clone(), Arc::clone(&live))),
            live,
            order: Arc::default(),
            faults: Faults::default(),
            tasks: TaskTracker::new(),
            deliveries: Arc::new(Semaphore::new(
                options.limits.deliveries.min(Semaphore::MAX_PERMITS),
            )),
            closing: CancellationToken::new(),
            bot_account: options.bot.clone().with_role(RoleType::Bot),
            bot: RwLock::new(None),
            swept_at: Mutex::new(i64::MIN),
            db,
            options,
        });
        channel.sweep().await?;
        Ok(channel)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// Now, in the unit of the tables.
    pub(crate) fn now_micros(&self) -> i64 {
        self.now().as_microsecond()
    }

    pub(crate) fn connect(&self, bot: Arc<dyn BotEndpoint>) {
        *self.bot.write().unwrap_or_else(PoisonError::into_inner) = Some(bot);
    }

    pub(crate) fn bot(&self) -> Option<Arc<dyn BotEndpoint>> {
        self.bot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs work on a task of its own, so that a client that goes away does not cut it in two.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.tasks
            .spawn(work.in_current_span())
            .await
            .unwrap_or_else(|panic| Err(Refusal::internal(&panic)))
    }

    /// A place among the activities that the bot has in hand: 429 when there is none, 503 once the channel is
    /// being closed.
    pub(crate) fn admit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if self.closing.is_cancelled() {
            let message = "The channel is shutting down: try again in a moment";
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceError",
                message,
            ));
        }
        let full = |_| {
            Refusal::busy(
                "The bot has as many activities in hand as it may: try again in a moment",
                1,
            )
        };
        Arc::clone(&self.deliveries).try_acquire_owned().map_err(full)
    }

    /// The conversation with this id, or 404.
    pub(crate) async fn conversation(&self, id: &str) -> Result<Conversation, Refusal> {
        let wanted = id.to_owned();
        let found = self.db.read(move |tx| Conversation::find(tx, &wanted)).await?;
        found.ok_or_else(|| Refusal::conversation_not_found(id))
    }

    /// The fields that the channel sets on every activity of a conversation, whoever sends it.
    pub(crate) fn stamp(conversation: &Conversation, activity: &mut Activity) {
        activity.channel_id = Some(channel::DIRECTLINE.to_owned());
        activity.conversation = Some(conversation.account());
        activity.service_url = None;
        activity.caller_id = None;
        activity.recipient = None;
        activity.delivery_mode = None;
    }

    /// The activity as the bot gets it.
    pub(crate) fn addressed_to_bot(&self, mut activity: Activity) -> Activity {
        activity.recipient = Some(self.bot_account.clone());
        activity.service_url = Some(self.service_url());
        activity
    }

    /// Where the bot sends what it says.
    pub(crate) fn service_url(&self) -> String {
        let options = &self.options;
        let connector_url = options.connector_url.as_ref().unwrap_or(&options.base_url).get();
        match &self.connector_key {
            None => connector_url,
            Some(key) => format!("{connector_url}{}", key.path()),
        }
    }

    /// The activity as clients may see it: whatever in it leads to the bot's `serviceUrl`, such as a
    /// `relatesTo` or the URL of a file, leads to the clients' address.
    pub(crate) fn without_key(&self, activity: Activity) -> Result<Activity, Refusal> {
        match &self.connector_key {
            None => Ok(activity),
            Some(key) => key
                .conceal(activity, &self.service_url(), &self.options.base_url.get())
                .map_err(|error| Refusal::internal(&error)),
        }
    }

    /// As [`sweep`](Self::sweep), beside a request that does not depend on it.
    pub(crate) async fn sweep_aside(&self) {
        if let Err(error) = self.sweep().await {
            tracing::warn!(%error, "old activities could not be removed");
        }
    }

    /// Forgets what is too old in quiet conversations, at most once an hour.
    async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.now_micros();
        {
            let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
            if now < swept_at.saturating_add(micros(SWEEP)) {
                return Ok(());
            }
            *swept_at = now;
        }
        let limits = self.limits().clone();
        self.db
            .write_repeatable(move |tx| forget_old_everywhere(tx, &limits, now))
            .await
    }
}
