use tidings_store::StoreError;

use crate::channel_limits::LimitsError;
use crate::deliveries::PauseTarget;
use crate::delivery::{DeliveryId, DeliveryState};
use crate::ledger::operate::NotDone;

/// Why a call to [`Deliveries`](crate::Deliveries) failed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveriesError {
    /// There is no such delivery, or it has been pruned.
    #[error("no delivery has the id {id}")]
    UnknownDelivery {
        /// The id.
        id: DeliveryId,
    },
    /// Its state does not allow it.
    #[error("delivery {id} is {state} and cannot be {wanted}{hint}", hint = hint(wanted, *state))]
    WrongState {
        /// The delivery.
        id: DeliveryId,
        /// Its state.
        state: DeliveryState,
        /// What it was to be: `cancelled`, `retried`, `held`, `released`.
        wanted: &'static str,
    },
    /// The channel takes nothing in that conversation any more.
    #[error(
        "the conversation of delivery {id} is closed ({reason}): a retry would be refused too, unless you reopen it"
    )]
    Closed {
        /// The delivery.
        id: DeliveryId,
        /// Why it was closed.
        reason: String,
    },
    /// A retry of it has arrived.
    #[error("delivery {id} was retried as {by}, which was delivered")]
    AlreadyDelivered {
        /// The delivery.
        id: DeliveryId,
        /// Its retry.
        by: DeliveryId,
    },
    /// Nothing was ever owed there.
    #[error("nothing was ever owed to {target}")]
    UnknownLane {
        /// What was named.
        target: PauseTarget,
    },
    /// Several channels have a conversation of that id.
    #[error("several channels have a conversation of that id: name the channel of {target}")]
    AmbiguousLane {
        /// What was named.
        target: PauseTarget,
    },
    /// The limits are none.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeliveriesError {
    pub(super) fn of_delivery(id: DeliveryId, wanted: &'static str, not_done: NotDone) -> Self {
        match not_done {
            NotDone::Unknown | NotDone::Ambiguous => DeliveriesError::UnknownDelivery { id },
            NotDone::State(state) => DeliveriesError::WrongState { id, state, wanted },
            NotDone::Closed(reason) => DeliveriesError::Closed { id, reason },
            NotDone::Delivered(by) => DeliveriesError::AlreadyDelivered { id, by },
        }
    }

    pub(super) fn of_lane(target: PauseTarget, not_done: &NotDone) -> Self {
        match not_done {
            NotDone::Ambiguous => DeliveriesError::AmbiguousLane { target },
            _ => DeliveriesError::UnknownLane { target },
        }
    }
}

fn hint(wanted: &str, state: DeliveryState) -> &'static str {
    match (wanted, state) {
        ("cancelled" | "held", DeliveryState::Sending) => ": its outcome will be on record in a moment",
        ("held", DeliveryState::Scheduled) => {
            ": its time has not come; cancel it if it must not be sent then"
        }
        ("held", DeliveryState::Held) => ": it is already",
        ("cancelled" | "held", _) => ": it has ended",
        ("released", _) => ": only held ones are",
        ("retried", state) if !state.is_final() => ": it has not ended, so it still has its chance",
        ("retried", _) => ": only dead and unknown ones are",
        _ => "",
    }
}
