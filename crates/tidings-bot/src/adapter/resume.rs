//! Taking up what an earlier process acknowledged, or a node that is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tidings_activity::Activity;

use super::running::{Arrival, Arrived, Running};
use super::validate::validate;
use super::{Adapter, Core};
use crate::conversation_key::ConversationKey;
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::inbound::{Inbound, TurnResponse};
use crate::inbox::{Acknowledged, Inbox, Known};

/// How often the turn of an acknowledged activity is started. One that ended its process so often is given up.
const MAX_STARTS: u32 = 3;

impl Adapter {
    /// Takes up the turns that an earlier process acknowledged with 202 and did not finish, in the order in which their
    /// activities arrived, each with the identity that it arrived with. Gives how many; they run on by themselves.
    ///
    /// Call it at the start, once everything that turns need is there. A channel that delivers one of these
    /// activities again is answered 202, before this call too. A turn that was started three times and
    /// never ended is given up, so that one that ends its process does not do so for ever; its conversation goes on.
    ///
    /// Where several nodes share the database, a node's turns are its own while it lives. This adapter then also takes up
    /// those of a node that has given no sign of life for
    /// [`take_over_after`](super::AdapterBuilder::take_over_after), now and as long as it lives itself.
    ///
    /// ```no_run
    /// # async fn example(adapter: tidings_bot::Adapter) -> tidings_bot::Result<()> {
    /// let resumed = adapter.resume().await?;
    /// println!("{resumed} turns go on");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the database cannot be read or written. What was not taken up is there at the next start.
    pub async fn resume(&self) -> Result<usize> {
        let Some(inbox) = &self.core.inbox else {
            return Ok(0);
        };
        inbox.open().await?;
        if inbox.starts_looking() {
            tokio::spawn(keep_looking(Arc::downgrade(&self.core), inbox.look_every()));
        }
        self.take_up(inbox).await
    }

    async fn take_up(&self, inbox: &Arc<Inbox>) -> Result<usize> {
        let mut resumed = 0;
        for row in inbox.unfinished().await? {
            match prepare(&row) {
                Ok((inbound, conversation)) => {
                    resumed += usize::from(self.resume_one(inbox, row.number, inbound, conversation).await?);
                }
                Err(reason) => {
                    tracing::error!(
                        turn.activity = row.key.as_ref().map(|key| key.as_str()),
                        turn.starts = row.starts,
                        reason = %reason,
                        "an acknowledged turn is given up"
                    );
                    give_up(inbox, &row).await?;
                }
            }
        }
        if resumed > 0 {
            tracing::info!(
                turns = resumed,
                "turns that an earlier process acknowledged go on"
            );
        }
        Ok(resumed)
    }

    async fn resume_one(
        &self,
        inbox: &Inbox,
        number: i64,
        inbound: Arc<Inbound>,
        conversation: ConversationKey,
    ) -> Result<bool> {
        let mut running = self.arrive_acknowledged(&inbound, number).await;
        if let Some(key) = running.arrived().key.clone() {
            let known = inbox.find_turn(&key).await?;
            inbox.taken_up(&key);
            match known {
                Known::No => {}
                Known::Half(number) => running.half = Some(number),
                // It was stored in the moment in which it was committed.
                Known::Answered(response) => {
                    self.core.is_over(&running).await;
                    running.finish(&Ok(response));
                    return Ok(false);
                }
            }
        }
        // They are no more than ran at once before, so none is refused.
        let ticket = self.core.in_flight.enter_nested();
        drop(self.start_turn(conversation, running, ticket));
        Ok(true)
    }

    async fn arrive_acknowledged(&self, inbound: &Arc<Inbound>, number: i64) -> Running {
        loop {
            let arrived = Arrived::acknowledged(Arc::clone(inbound), number);
            match self.core.running.arrive(arrived) {
                Arrival::First(running) => return running,
                // A redelivery that is just being told 202.
                Arrival::Again(_, answer) => drop(answer.await),
                Arrival::Acknowledged | Arrival::TooMany => tokio::task::yield_now().await,
            }
        }
    }
}

/// Takes up, again and again, what nodes that are gone have left.
async fn keep_looking(core: Weak<Core>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(core) = core.upgrade().filter(|core| !core.in_flight.is_closing()) else {
            return;
        };
        let Some(inbox) = core.inbox.clone() else { return };
        if let Err(error) = (Adapter { core }).take_up(&inbox).await {
            tracing::warn!(error = %error, "acknowledged turns of other nodes could not be taken up; the next look tries again");
        }
    }
}

fn prepare(row: &Acknowledged) -> Result<(Arc<Inbound>, ConversationKey)> {
    if row.starts >= MAX_STARTS {
        return Err(Error::msg(
            "it was started three times and ended its process each time",
        ));
    }
    let activity = Activity::from_slice(row.activity.as_bytes())?;
    let identity = Identity::from_json(row.identity.as_deref())?;
    let conversation = validate(&activity)?;
    Ok((Arc::new(Inbound { activity, identity }), conversation))
}

async fn give_up(inbox: &Inbox, row: &Acknowledged) -> Result<()> {
    let (record, noted) = inbox.record(
        row.key.as_ref(),
        &TurnResponse::accepted(),
        None,
        Some(row.number),
    );
    inbox.write_if_first(record).await?;
    inbox.committed(noted);
    if let Some(key) = &row.key {
        inbox.taken_up(key);
    }
    Ok(())
}
