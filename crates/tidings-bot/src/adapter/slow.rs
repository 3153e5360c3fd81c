//! Turns that take longer than a channel waits: acknowledged once their activity is stored.

use std::sync::Arc;

use tidings_activity::{Activity, ActivityType};

use super::inbound_turn::expects_replies;
use super::running::{Arrived, Promise, Running};
use super::{Adapter, Core};
use crate::inbound::TurnResponse;

impl Core {
    /// Whether the sender of `activity` can be told 202: it expects no answer.
    pub(super) fn may_acknowledge(&self, activity: &Activity) -> bool {
        self.inbox.is_some() && activity.kind != ActivityType::Invoke && !expects_replies(activity)
    }

    /// Stores the activity so that its sender can be told 202. False when it could not be stored, and when the turn
    /// has been committed meanwhile.
    pub(super) async fn acknowledge(&self, arrived: &Arc<Arrived>) -> bool {
        let Some(inbox) = self.inbox.clone() else {
            return false;
        };
        let arrived = Arc::clone(arrived);
        // A task of its own: a sender that hangs up in this moment leaves nothing half done.
        let stored = tokio::spawn(async move {
            let mut promise = arrived.promise.lock().await;
            let started = match *promise {
                Promise::None { started } => started,
                Promise::Stored { .. } => return true,
                Promise::Over => return false,
            };
            let key = arrived.key.as_ref();
            let stored = inbox
                .acknowledge(arrived.number, key, &arrived.inbound, started)
                .await;
            match stored {
                Ok(true) => *promise = Promise::Stored { started },
                // Another node answers for it; this turn may end as it likes.
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        turn.activity_id = arrived.inbound.activity.id.as_deref(),
                        error = %error,
                        "a slow turn could not be acknowledged: its activity could not be stored; the channel waits on"
                    );
                    return false;
                }
            }
            arrived.tell_acknowledged();
            true
        });
        stored.await.unwrap_or(false)
    }

    /// The turn's time has come: it is inside its conversation.
    pub(super) async fn begins(&self, arrived: &Arrived) {
        let Some(inbox) = &self.inbox else {
            return;
        };
        let mut promise = arrived.promise.lock().await;
        match &mut *promise {
            Promise::None { started } => *started = true,
            Promise::Stored { started } => {
                *started = true;
                if let Err(error) = inbox.started(arrived.number).await {
                    tracing::warn!(error = %error, "the start of an acknowledged turn could not be counted");
                }
            }
            Promise::Over => {}
        }
    }

    /// The turn has ended, well or not. One that was acknowledged and failed does not run again.
    pub(super) async fn is_over(&self, running: &Running) {
        let Some(inbox) = &self.inbox else {
            return;
        };
        let arrived = running.arrived();
        let mut promise = arrived.promise.lock().await;
        if let Promise::Stored { .. } = *promise {
            let (record, noted) = inbox.record(
                arrived.key.as_ref(),
                &TurnResponse::accepted(),
                running.half,
                Some(arrived.number),
            );
            match inbox.write_if_first(record).await {
                Ok(()) => inbox.committed(noted),
                Err(error) => tracing::warn!(
                    turn.activity_id = arrived.inbound.activity.id.as_deref(),
                    error = %error,
                    "that an acknowledged turn has failed could not be kept; it runs again at the next start"
                ),
            }
        }
        *promise = Promise::Over;
    }
}

impl Adapter {
    /// Leaves the acknowledged turns that still run to the next start, or to another node that shares the database, as
    /// the process is about to end. Without it each would count as a turn that ended its process. Call it after
    /// [`shutdown`](Self::shutdown) has taken too long.
    pub async fn put_down(&self) {
        let Some(inbox) = &self.core.inbox else {
            return;
        };
        for arrived in self.core.running.all() {
            // Whoever holds it is about to be over.
            let Ok(mut promise) = arrived.promise.try_lock() else {
                continue;
            };
            if *promise != (Promise::Stored { started: true }) {
                continue;
            }
            match inbox.put_down(arrived.number).await {
                Ok(()) => *promise = Promise::Stored { started: false },
                Err(error) => {
                    tracing::warn!(error = %error, "a turn that is cut off counts as one that ended its process");
                }
            }
        }
        if let Err(error) = inbox.release().await {
            tracing::warn!(error = %error, "acknowledged turns are left to other nodes later than need be");
        }
    }
}
