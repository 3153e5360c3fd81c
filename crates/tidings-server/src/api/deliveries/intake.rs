//! The engine's door for what is to be owed, as the API knocks at it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidings_proactive::{DeliveryId, DeliveryState, ProactiveError};

use super::order::Order;

/// Puts orders on record, all of them in one commit or none.
#[async_trait]
pub(crate) trait Intake: Send + Sync + 'static {
    async fn take(&self, orders: Vec<Order>) -> Result<Taken, NotTaken>;
}

/// What was put on record, in the order in which it was given.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) deliveries: Vec<(DeliveryId, DeliveryState)>,
    /// When the last of them will have been sent if the channels take what their limits allow; `None` if nobody can tell.
    pub(crate) predicted_finish: Option<Timestamp>,
}

/// Why nothing was put on record.
#[derive(Debug)]
pub(crate) struct NotTaken {
    /// Which order is meant, counted from 0.
    pub(crate) order: usize,
    pub(crate) why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    /// Nothing is known of the conversation.
    UnknownConversation,
    /// The dedupe key was used for something else, this delivery.
    DedupeConflict(DeliveryId),
    /// The activity is larger than the channel takes, in bytes.
    TooLarge { limit: usize },
    /// This field of the activity or the payload is not what it may be; a sentence.
    BadContent(&'static str, String),
    /// The payload is larger than one may be, in bytes of JSON.
    PayloadTooLarge { limit: usize },
    /// The conversation has as much waiting as it may.
    BacklogFull { retry_after: Duration },
    /// The conversations of its tenant have as much waiting as they may.
    TenantBacklogFull { tenant: String, retry_after: Duration },
    /// It would expire before it is due.
    Expired,
    /// The channel does not recognise repeats.
    NoReconcile,
    /// The database has no room.
    DatabaseFull,
    /// Anything else that is wrong with it, as a sentence.
    Invalid(String),
    /// The engine or its database failed.
    Failed(ProactiveError),
}
