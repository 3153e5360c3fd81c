//! The engine's handle.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tidings_activity::Activity;
use tidings_bot::Conversation;
use tidings_store::{Clock, Database};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::channel::Channel;
use crate::deliveries::Deliveries;
use crate::delivery::{Delivery, DeliveryId};
use crate::enqueue::Enqueue;
use crate::error::ProactiveError;
use crate::jobs::Jobs;
use crate::ledger;
use crate::rng::{Rng, SystemRng};
use crate::stored_reference::{StoredReference, last_reference};
use crate::worker::Worker;

/// How the engine behaves. The defaults suit one bot on one machine.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProactiveOptions {
    /// How many deliveries are sent at once. Also how many may repeat after a crash.
    pub concurrency: usize,
    /// How often the table is looked at when nothing says that it should be looked at earlier.
    pub poll_every: Duration,
    /// How long a delivery may take from the moment it is put on record; then it is `expired`.
    pub expires_after: Duration,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// The randomness of the waits.
    pub rng: Arc<dyn Rng>,
}

impl Default for ProactiveOptions {
    /// 64 at once, a look every second, expiry after 72 hours, [`Backoff::default`], [`SystemRng`].
    fn default() -> Self {
        ProactiveOptions {
            concurrency: 64,
            poll_every: Duration::from_secs(1),
            expires_after: Duration::from_hours(72),
            backoff: Backoff::default(),
            rng: Arc::new(SystemRng),
        }
    }
}

impl fmt::Debug for ProactiveOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProactiveOptions")
            .field("concurrency", &self.concurrency)
            .field("poll_every", &self.poll_every)
            .field("expires_after", &self.expires_after)
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

    /// The delivery with this id, as it is on record now.
    ///
    /// # Errors
    /// The database refused.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, ProactiveError> {
        Ok(self
            .worker
            .db
            .read(move |conn| ledger::delivery(conn, id))
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
            .read(move |conn| last_reference(conn, &conversation_id))
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

impl fmt::Debug for Proactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proactive")
            .field("options", &self.worker.options)
            .finish_non_exhaustive()
    }
}
