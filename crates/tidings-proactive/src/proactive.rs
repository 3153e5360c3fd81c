//! The engine's handle.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tidings_activity::Activity;
use tidings_bot::{Admission, Conversation, Identity, Inbound, TurnFacts, TurnObserver, TurnResponse};
use tidings_store::{Clock, Database, StoreError};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::breaker::BreakerOptions;
use crate::channel::Channel;
use crate::closed_lanes;
use crate::deliveries::Deliveries;
use crate::delivery::{Delivery, DeliveryId};
use crate::enqueue::{Accepted, Enqueue, MAX_ACTIVITY_BYTES};
use crate::error::ProactiveError;
use crate::handlers::NamedHandler;
use crate::jobs::Jobs;
use crate::ledger::{self, Insist};
use crate::rng::{Rng, SystemRng};
use crate::stored_reference::{StoredReference, last_reference};
use crate::trace_carrier::TraceCarrier;
use crate::worker::Worker;

/// How the engine behaves. The defaults suit one bot on one machine.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProactiveOptions {
    /// How many deliveries are sent at once. Also how many may repeat after a crash.
    pub concurrency: usize,
    /// How often the table is looked at when nothing says that it should be looked at earlier.
    pub poll_every: Duration,
    /// How long a delivery may take from the moment it may be sent; then it is `expired`.
    pub expires_after: Duration,
    /// How long a process that shows no life keeps its conversations; then others take them over, each of which looks
    /// every fifth of its own lease. Counted by monotonic clocks: it does not matter what the clocks of the processes say.
    /// At least 300 ms.
    pub lease: Duration,
    /// What the process is called in the table of nodes.
    pub node: String,
    /// Whether other processes may send from the same database. If not, whatever an earlier process left under way is
    /// taken over at the start, whatever its lease.
    pub shared: bool,
    /// How long deliveries that have ended stay on record, with their attempts.
    pub retention: Duration,
    /// The most deliveries of one conversation that have not ended.
    pub max_backlog: u32,
    /// The most deliveries of all conversations of one tenant that have not ended. Several processes on one database may
    /// pass it together, to less than twice as many. Conversations without a tenant are one tenant.
    pub max_tenant_backlog: u32,
    /// When a host that fails is left alone.
    pub breaker: BreakerOptions,
    /// Who carries traces over the time that a delivery waits; nobody unless told.
    pub trace: Option<Arc<dyn TraceCarrier>>,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// The randomness of the waits.
    pub rng: Arc<dyn Rng>,
}

impl Default for ProactiveOptions {
    /// 64 at once, a look every second, expiry after 72 hours, a lease of 15 s, alone, 10,000 open deliveries in a
    /// conversation and a million in a tenant, [`Backoff::default`], [`SystemRng`].
    fn default() -> Self {
        ProactiveOptions {
            concurrency: 64,
            poll_every: Duration::from_secs(1),
            expires_after: Duration::from_hours(72),
            lease: Duration::from_secs(15),
            node: "tidings".to_owned(),
            shared: false,
            retention: Duration::from_hours(30 * 24),
            max_backlog: 10_000,
            max_tenant_backlog: 1_000_000,
            breaker: BreakerOptions::default(),
            trace: None,
            backoff: Backoff::default(),
            rng: Arc::new(SystemRng),
        }
    }
}

impl ProactiveOptions {
    /// The largest activity that a channel takes, in bytes of UTF-16 (protocol section 9).
    pub(crate) fn max_activity_bytes(&self, channel_id: &str) -> usize {
        match channel_id {
            "msteams" => 100 * 1024,
            _ => MAX_ACTIVITY_BYTES,
        }
    }
}

impl fmt::Debug for ProactiveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProactiveOptions")
            .field("concurrency", &self.concurrency)
            .field("poll_every", &self.poll_every)
            .field("expires_after", &self.expires_after)
            .field("lease", &self.lease)
            .field("node", &self.node)
            .field("shared", &self.shared)
            .field("max_backlog", &self.max_backlog)
            .field("max_tenant_backlog", &self.max_tenant_backlog)
            .field("breaker", &self.breaker)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}

/// The proactive engine on one database: what is owed to conversations, and the worker that brings it there.
///
/// Deliveries are kept in order within a conversation and sent at least once: a delivery that was being sent
/// when the process was killed is sent again, and its row says that the user may have it twice.
///
/// A clone is another handle to the same engine. Register one as a service of the adapter and handlers can
/// take it as an argument.
#[derive(Clone)]
pub struct Proactive {
    pub(crate) worker: Arc<Worker>,
}

impl Proactive {
    /// The engine on `db`, which must have been opened with [`MIGRATIONS`](crate::MIGRATIONS), with the default
    /// options.
    #[must_use]
    pub fn new(db: Database, clock: Arc<dyn Clock>) -> Self {
        Self::with_options(db, clock, ProactiveOptions::default())
    }

    /// The engine on `db` with `options`. A `concurrency` outside of 1 to 10,000 counts as the nearer of the two.
    #[must_use]
    pub fn with_options(db: Database, clock: Arc<dyn Clock>, mut options: ProactiveOptions) -> Self {
        options.concurrency = options.concurrency.clamp(1, 10_000);
        options.lease = options.lease.max(Duration::from_millis(300));
        Proactive {
            worker: Arc::new(Worker::new(db, clock, options)),
        }
    }

    /// The job log.
    #[must_use]
    pub fn jobs(&self) -> Jobs {
        Jobs::new(self.clone())
    }

    /// What is owed and was owed.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        Deliveries::new(self.clone())
    }

    /// Puts `activity` on record for `conversation`. It is durable when this returns, and sent
    /// by the worker after everything that was enqueued for the conversation before.
    ///
    /// To enqueue together with a turn's state, stage an [`Enqueue`] instead.
    ///
    /// # Errors
    /// The reference names no conversation, or the database refused; then nothing is owed.
    pub async fn enqueue(
        &self,
        conversation: impl Into<Conversation>,
        activity: &Activity,
    ) -> Result<DeliveryId, ProactiveError> {
        Enqueue::new(self, conversation, activity)?.commit().await
    }

    /// Puts many on record, in one commit where they are in one conversation or few: all of them or, if one cannot be
    /// taken, none.
    ///
    /// # Errors
    /// [`EnqueueAllError`] names the first that cannot be taken.
    pub async fn enqueue_all(&self, all: Vec<Enqueue>) -> Result<Vec<Accepted>, EnqueueAllError> {
        let mut deliveries = Vec::with_capacity(all.len());
        for (index, one) in all.into_iter().enumerate() {
            let (_, delivery) = one.ready().map_err(|error| EnqueueAllError { index, error })?;
            deliveries.push(delivery);
        }
        let worker = &self.worker;
        let refused = Arc::new(OnceLock::new());
        let here = Arc::clone(&refused);
        let enqueued = worker
            .commit(deliveries.len(), move |tx, now, allowance| {
                let enqueued = ledger::enqueue_all(tx, deliveries.clone(), now, Insist::No, allowance)?;
                let mut enqueued = enqueued.map_err(|refused| {
                    let _ = here.set(refused);
                    // Undoes what was put on record before it.
                    StoreError::message("a delivery of the batch was refused")
                })?;
                let claimed = enqueued.iter_mut().filter_map(|one| one.claimed.take()).collect();
                let accepted: Vec<Accepted> = enqueued.into_iter().map(Accepted::from).collect();
                Ok((accepted, claimed))
            })
            .await;
        match (enqueued, refused.get()) {
            (Ok(accepted), _) => {
                worker.counters.accepted(accepted.len());
                Ok(accepted)
            }
            (Err(_), Some(refused)) => Err(EnqueueAllError {
                index: refused.index,
                error: ProactiveError::from_refusal(&refused.refusal),
            }),
            (Err(error), None) => Err(EnqueueAllError { index: 0, error }),
        }
    }

    /// Registers the handler that runs the deliveries owed with [`Enqueue::handler`] under `name`: an
    /// `async fn(&mut TurnContext, T) -> Result<()>`, where `T` is the payload.
    ///
    /// It runs as a full proactive turn of the conversation, after everything that was enqueued there before. What it
    /// says is put on record at its place in the conversation and committed together with the turn's state, so a
    /// turn that a crash ends is run again and nothing of it was sent. Updates and deletions are owed like what it says, and
    /// in its order; ids are not known inside. What it returns as an error is tried again until the delivery expires.
    ///
    /// The names `activity.update` and `activity.delete` are the engine's own. The payload of the first is the activity as it
    /// is to be, with the `id` by which the channel knows it; that of the second is `{"id": ...}`.
    pub fn handler<T, H>(&self, name: impl Into<String>, handler: H)
    where
        T: DeserializeOwned + Send + 'static,
        H: for<'a> NamedHandler<'a, T> + 'static,
    {
        self.worker.handlers.insert(name.into(), handler);
    }

    /// A conversation that is known here, by its id: something was owed to it before, or a job started there.
    /// `channel_id` tells conversations of several channels apart; without one the newest counts.
    ///
    /// # Errors
    /// [`ProactiveError::UnknownConversation`], or the database refused.
    pub async fn conversation(
        &self,
        channel_id: Option<&str>,
        conversation_id: &str,
    ) -> Result<Conversation, ProactiveError> {
        let (channel, id) = (channel_id.map(str::to_owned), conversation_id.to_owned());
        let found = self
            .worker
            .db
            .read(move |tx| ledger::read::address(tx, channel.as_deref(), &id))
            .await?;
        let Some((reference, identity)) = found else {
            return Err(ProactiveError::UnknownConversation {
                conversation_id: conversation_id.to_owned(),
            });
        };
        let unreadable = |source| ProactiveError::Unreadable {
            what: format!("address of conversation {conversation_id:?}"),
            source,
        };
        Ok(Conversation::new(
            serde_json::from_str(&reference).map_err(unreadable)?,
            Identity::from_json(identity.as_deref()).map_err(unreadable)?,
        ))
    }

    /// The delivery with this id, as it is on record now.
    ///
    /// # Errors
    /// The database refused.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, ProactiveError> {
        let now = self.worker.clock.now();
        Ok(self
            .worker
            .db
            .read(move |tx| ledger::read::one(tx, id, now))
            .await?)
    }

    /// The newest reference to a conversation that is on record: see [`last_reference`].
    ///
    /// # Errors
    /// The database refused.
    pub async fn last_reference(
        &self,
        conversation_id: impl Into<String>,
    ) -> Result<Option<StoredReference>, ProactiveError> {
        let conversation_id = conversation_id.into();
        Ok(self
            .worker
            .db
            .read(move |tx| last_reference(tx, &conversation_id))
            .await?)
    }

    /// Sends what is owed through `channel`, until `shutdown` is cancelled; then returns as soon as what is
    /// being sent has ended and is on record. What has not been started stays on record for the next run.
    ///
    /// First everything a killed predecessor left unfinished is taken up again.
    ///
    /// # Errors
    /// The worker runs already, or the database cannot be read at the start. Later troubles of the database are
    /// logged and tried again.
    pub async fn run(
        &self,
        channel: Arc<dyn Channel>,
        shutdown: CancellationToken,
    ) -> Result<(), ProactiveError> {
        self.worker.run(channel, shutdown).await
    }
}

/// Register it at the adapter: then what a turn stages is sent as soon as the turn is committed, also where other nodes
/// write to the same database, and a conversation that the channel had closed is open again before the turn of whatever
/// arrives from there. Without it, what is staged is found at the next look, and only a job's start opens a conversation.
#[async_trait]
impl TurnObserver for Proactive {
    async fn admit(&self, inbound: &Inbound) -> tidings_bot::Result<Admission> {
        let activity = &inbound.activity;
        let conversation_id = activity
            .conversation
            .as_ref()
            .and_then(|known| known.id.as_deref());
        if let Some(conversation_id) = conversation_id
            && closed_lanes::shows_that_it_is_open(activity)
        {
            let channel_id = activity.channel_id.as_deref().unwrap_or_default();
            self.worker.is_spoken_to(channel_id, conversation_id).await;
        }
        Ok(Admission::Run)
    }

    fn committed(&self, _: &TurnFacts<'_>, _: &TurnResponse) {
        self.worker.committed();
    }
}

impl fmt::Debug for Proactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proactive")
            .field("options", &self.worker.options)
            .finish_non_exhaustive()
    }
}

/// Why a batch was not put on record.
#[derive(Debug, thiserror::Error)]
#[error("delivery {index} of the batch: {error}")]
pub struct EnqueueAllError {
    /// Which one, counted from 0.
    pub index: usize,
    /// What is wrong with it.
    #[source]
    pub error: ProactiveError,
}
