//! Looking at what is owed, and intervening.

mod conversations;
mod error;
mod target;

use std::fmt;

use jiff::Timestamp;
use tidings_store::StoreError;
use tokio::sync::watch;

use crate::channel_limits::ChannelLimits;
use crate::delivery::{Delivery, DeliveryDetail, DeliveryFilter, DeliveryId, DeliveryPage, Pauses, Summary};
use crate::ledger::operate::{self, NotDone};
use crate::ledger::{prune, read};
use crate::proactive::Proactive;

pub use crate::ledger::prune::Pruned;
pub use error::DeliveriesError;
pub use target::PauseTarget;

type Result<T> = std::result::Result<T, DeliveriesError>;

/// Why a delivery is held that nobody else holds.
const BY_OPERATOR: &str = "operator";

/// What is owed and was owed: whether somebody was told, and if not, why.
///
/// ```
/// # use tidings_proactive::{Deliveries, DeliveriesError, DeliveryFilter, DeliveryState, Proactive};
/// # async fn example(proactive: Proactive) -> Result<(), DeliveriesError> {
/// let deliveries = proactive.deliveries();
/// let mut dead = DeliveryFilter::default();
/// dead.states = vec![DeliveryState::Dead];
/// for delivery in deliveries.list(dead, 20).await?.deliveries {
///     let again = deliveries.retry(delivery.id, false).await?;
///     println!("{} is owed again as {again}", delivery.id);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Deliveries {
    proactive: Proactive,
}

impl Deliveries {
    pub(crate) fn new(proactive: Proactive) -> Self {
        Deliveries { proactive }
    }

    /// The newest deliveries that fit, at most `limit` of them, and where those before them begin. See
    /// [`DeliveryPage`]: a page may be short although there are more.
    ///
    /// # Errors
    /// The database refused.
    pub async fn list(&self, filter: DeliveryFilter, limit: usize) -> Result<DeliveryPage> {
        let now = self.proactive.worker.clock.now();
        let db = &self.proactive.worker.db;
        Ok(db.read(move |tx| read::page(tx, &filter, limit, now)).await?)
    }

    /// The delivery with this id.
    ///
    /// # Errors
    /// The database refused.
    pub async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        let now = self.proactive.worker.clock.now();
        let db = &self.proactive.worker.db;
        Ok(db.read(move |tx| read::one(tx, id, now)).await?)
    }

    /// The delivery with this id: what is owed, each attempt and each wait.
    ///
    /// # Errors
    /// The database refused.
    pub async fn detail(&self, id: DeliveryId) -> Result<Option<DeliveryDetail>> {
        let now = self.proactive.worker.clock.now();
        let db = &self.proactive.worker.db;
        Ok(db.read(move |tx| read::detail(tx, id, now)).await?)
    }

    /// How many deliveries are in which state, how old the oldest waiting one is, and what is paused. Costs the same
    /// however much is on record.
    ///
    /// # Errors
    /// The database refused.
    pub async fn summary(&self) -> Result<Summary> {
        Ok(self.proactive.worker.db.read(read::summary).await?)
    }

    /// What an operator has stopped.
    ///
    /// # Errors
    /// The database refused.
    pub async fn pauses(&self) -> Result<Pauses> {
        Ok(self.proactive.worker.db.read(read::pauses).await?)
    }

    /// Takes back a delivery that has not been sent, and returns it as it is then.
    ///
    /// # Errors
    /// [`DeliveriesError::WrongState`] if it is being sent or has ended; there is none of that id; the database refused.
    pub async fn cancel(&self, id: DeliveryId) -> Result<Delivery> {
        let cancelled = self
            .write(move |tx, now| {
                let done = operate::cancel(tx, id, now)?;
                Ok(match done {
                    Ok(()) => Ok(read::one(tx, id, now)?),
                    Err(not_done) => Err(not_done),
                })
            })
            .await?
            .map_err(|not_done| DeliveriesError::of_delivery(id, "cancelled", not_done))?;
        cancelled.ok_or(DeliveriesError::UnknownDelivery { id })
    }

    /// Keeps back a delivery that is ready or to be tried again, until `until` or until it is
    /// [released](Self::release), and returns it as it is then. Others of its conversation go past it. It expires at
    /// its time all the same.
    ///
    /// # Errors
    /// [`DeliveriesError::WrongState`] if it is scheduled, held or being sent, or has ended; there is none of that id;
    /// the database refused.
    pub async fn hold(&self, id: DeliveryId, until: Option<Timestamp>) -> Result<Delivery> {
        let held = self
            .write(
                move |tx, now| match operate::hold(tx, id, BY_OPERATOR, until, now)? {
                    Ok(()) => Ok(Ok(read::one(tx, id, now)?)),
                    Err(not_done) => Ok(Err(not_done)),
                },
            )
            .await?
            .map_err(|not_done| DeliveriesError::of_delivery(id, "held", not_done))?;
        held.ok_or(DeliveriesError::UnknownDelivery { id })
    }

    /// Lets go a delivery that is held, and returns it as it is then: at its old place in its conversation, however long
    /// it was held.
    ///
    /// # Errors
    /// [`DeliveriesError::WrongState`] if it is not held; there is none of that id; the database refused.
    pub async fn release(&self, id: DeliveryId) -> Result<Delivery> {
        let released = self
            .write(move |tx, now| match operate::release(tx, id, now)? {
                Ok(()) => Ok(Ok(read::one(tx, id, now)?)),
                Err(not_done) => Ok(Err(not_done)),
            })
            .await?
            .map_err(|not_done| DeliveriesError::of_delivery(id, "released", not_done))?;
        released.ok_or(DeliveriesError::UnknownDelivery { id })
    }

    /// Owes again what is dead or unknown: as a new delivery, whose id is returned. While that one has not ended,
    /// another call returns its id too. If the first may have arrived, the new one says that it may be a repeat.
    ///
    /// `reopen` opens the conversation first if the channel had closed it.
    ///
    /// # Errors
    /// [`DeliveriesError::WrongState`] if it is neither dead nor unknown; [`DeliveriesError::Closed`];
    /// [`DeliveriesError::AlreadyDelivered`] if a retry of it has arrived; there is none of that id; the database
    /// refused.
    pub async fn retry(&self, id: DeliveryId, reopen: bool) -> Result<DeliveryId> {
        self.write(move |tx, now| operate::retry(tx, id, reopen, now))
            .await?
            .map_err(|not_done| DeliveriesError::of_delivery(id, "retried", not_done))
    }

    /// Stops sending there until [`resume`](Self::resume). What is being sent goes on; what is put on record waits.
    /// Durable, and the same for every node.
    ///
    /// # Errors
    /// Nothing was ever owed to the conversation, or several channels have one of that id; the database refused.
    pub async fn pause(&self, target: PauseTarget) -> Result<()> {
        let named = target.clone();
        self.write(move |tx, now| match &target {
            PauseTarget::All => operate::pause(tx, None, now).map(Ok),
            PauseTarget::Channel(channel) => operate::pause(tx, Some(channel), now).map(Ok),
            PauseTarget::Lane {
                channel_id,
                conversation_id,
            } => match read::lanes(tx, channel_id.as_deref(), conversation_id)?[..] {
                [lane] => operate::pause_lane(tx, lane),
                [] => Ok(Err(NotDone::Unknown)),
                _ => Ok(Err(NotDone::Ambiguous)),
            },
        })
        .await?
        .map_err(|not_done| DeliveriesError::of_lane(named, &not_done))?;
        self.proactive.worker.rules_changed();
        Ok(())
    }

    /// Goes on with what was stopped. Fine also where nothing was.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, target: PauseTarget) -> Result<()> {
        let channel = match target {
            PauseTarget::Lane {
                channel_id,
                conversation_id,
            } => {
                let named = PauseTarget::Lane {
                    channel_id: channel_id.clone(),
                    conversation_id: conversation_id.clone(),
                };
                return self
                    .write(
                        move |tx, now| match read::lanes(tx, channel_id.as_deref(), &conversation_id)?[..] {
                            [lane] => operate::resume_lane(tx, lane, now),
                            [] => Ok(Err(NotDone::Unknown)),
                            _ => Ok(Err(NotDone::Ambiguous)),
                        },
                    )
                    .await?
                    .map_err(|not_done| DeliveriesError::of_lane(named, &not_done));
            }
            PauseTarget::Channel(channel) => Some(channel),
            PauseTarget::All => None,
        };
        self.write(move |tx, _| operate::resume(tx, channel.as_deref()))
            .await?;
        // Before any lane is woken: whoever still believed in the pause would put it off again.
        self.proactive.worker.read_rules().await?;
        Ok(self.wake().await?)
    }

    /// How often channels may be called, by channel and scope.
    ///
    /// # Errors
    /// The database refused.
    pub async fn limits(&self) -> Result<Vec<ChannelLimits>> {
        Ok(self.proactive.worker.db.read(operate::limits).await?)
    }

    /// Limits a channel so, in place of what was set for the same scope; without windows it is not limited any more.
    /// Durable; what waits for the limits of before is looked at anew. Other processes on the same database heed it when
    /// they renew their lease, each third of it.
    ///
    /// # Errors
    /// [`DeliveriesError::Limits`]; the database refused.
    pub async fn set_limits(&self, limits: ChannelLimits) -> Result<()> {
        limits.check()?;
        let channel = limits.channel_id.clone();
        self.write(move |tx, _| operate::set_limits(tx, &limits)).await?;
        let worker = &self.proactive.worker;
        // Before any lane is woken: by the limits of before it would be put off again.
        worker.read_rules().await?;
        let mut after = Some(0);
        while let Some(from) = after {
            let channel = channel.clone();
            after = worker
                .write(move |tx, now| operate::wake_paced(tx, &channel, from, now))
                .await?;
        }
        worker.wake();
        Ok(())
    }

    /// When the oldest delivery that is ready or to be tried again was put on record.
    ///
    /// # Errors
    /// The database refused.
    pub async fn oldest_waiting(&self) -> Result<Option<Timestamp>> {
        Ok(self.proactive.worker.db.read(read::oldest_waiting).await?)
    }

    /// When the last of these will have been sent if every channel takes as much as its limits allow, predicted to a tenth
    /// of the time it takes. `None` where no limit says anything about it.
    ///
    /// # Errors
    /// The database refused.
    pub async fn predicted_finish(&self, ids: Vec<DeliveryId>) -> Result<Option<Timestamp>> {
        let now = self.proactive.worker.clock.now();
        let ids: Vec<i64> = ids.into_iter().map(DeliveryId::get).collect();
        let db = &self.proactive.worker.db;
        Ok(db.read(move |tx| read::predicted_finish(tx, &ids, now)).await?)
    }

    /// A counter that rises after every commit that changed a delivery or a job.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.proactive.worker.watch()
    }

    /// To be called once a minute: deletes what has ended longer ago than the pruner's retention, and wakes lanes that no
    /// pause stops any more. In small transactions, between which others have their turn.
    pub(crate) async fn prune(&self, pruner: &mut prune::Pruner) -> std::result::Result<Pruned, StoreError> {
        self.wake().await?;
        let worker = &self.proactive.worker;
        let mut pruned = Pruned::default();
        loop {
            let (mut walks, mut counts) = (*pruner, pruned);
            let (more, walks, counts) = worker
                .write(move |tx, now| {
                    let more = walks.prune(tx, now, &mut counts)?;
                    Ok((more, walks, counts))
                })
                .await?;
            (*pruner, pruned) = (walks, counts);
            if !more {
                return Ok(pruned);
            }
        }
    }

    async fn wake(&self) -> std::result::Result<(), StoreError> {
        let worker = &self.proactive.worker;
        let mut after = 0;
        loop {
            let next = worker.write(move |tx, now| operate::wake(tx, after, now)).await?;
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        worker.wake();
        Ok(())
    }

    /// A commit after which the worker looks at the table, and whoever watches is told.
    async fn write<T: Send + 'static>(
        &self,
        change: impl FnMut(&tidings_store::Tx<'_>, Timestamp) -> std::result::Result<T, StoreError>
        + Send
        + 'static,
    ) -> Result<T> {
        let worker = &self.proactive.worker;
        let done = worker.write(change).await?;
        worker.rules_changed();
        worker.bump();
        Ok(done)
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliveries").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
