//! A delivery as its row and its lane's tell it.

use jiff::Timestamp;
use tidings_store::{Row, StoreError};

use crate::delivery::{Content, Delivery, DeliveryId, DeliveryState, Failure, Waiting};
use crate::ledger::read::summary::Stopped;
use crate::unknown_policy::UnknownPolicy;

/// What [`delivery`] reads, to be followed by ` WHERE`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, lanes.channel_id, lanes.conversation_id, lanes.tenant, d.class, d.state, d.reason, d.policy,
                    d.due_at, d.expires_at, d.starts, d.repeat_possible, d.error_status, d.error_code, d.error_message,
                    d.activity_id, d.activity, d.handler, d.parent_id, d.retry_of, d.merged_into, d.created_at,
                    d.updated_at, d.ended_at, lanes.paused, lanes.closed_reason, lanes.next_at, lanes.wait_reason,
                    lanes.node, d.began_at, d.payload
             FROM deliveries AS d JOIN lanes ON lanes.id = d.lane_id ",
            $rest
        )
    };
}
pub(super) use select;

/// The columns of `select!` that [`delivery`] leaves to whoever wants the details.
pub(super) const ACTIVITY: usize = 16;
pub(super) const NODE: usize = 28;
pub(super) const BEGAN_AT: usize = 29;
pub(super) const PAYLOAD: usize = 30;

pub(crate) use crate::row::{optional_timestamp as optional_time, timestamp as time};

/// A column that holds a state.
pub(crate) fn state(row: &Row<'_>, column: usize) -> Result<DeliveryState, StoreError> {
    let text = row.text(column)?;
    DeliveryState::from_row(text)
        .ok_or_else(|| StoreError::message(format!("no delivery state is called '{text}'")))
}

/// The delivery in a row of `select!`.
pub(super) fn delivery(row: &Row<'_>, stopped: &Stopped, now: Timestamp) -> Result<Delivery, StoreError> {
    let policy = row.text(7)?;
    let policy = UnknownPolicy::from_row(policy)
        .ok_or_else(|| StoreError::message(format!("no policy is called '{policy}'")))?;
    let content = match row.get::<Option<String>>(17)? {
        Some(name) => Content::Handler { name },
        None => Content::of_activity(row.text(ACTIVITY)?),
    };
    let message: Option<String> = row.get(14)?;
    let last_failure = match message {
        None => None,
        Some(message) => Some(Failure {
            status: row.get(12)?,
            code: row.get(13)?,
            message,
        }),
    };
    let id = |column| -> Result<Option<DeliveryId>, StoreError> {
        Ok(row.get::<Option<i64>>(column)?.map(DeliveryId))
    };
    let mut delivery = Delivery {
        id: DeliveryId(row.get(0)?),
        channel_id: row.get(1)?,
        conversation_id: row.get(2)?,
        tenant: row.get(3)?,
        class: row.get(4)?,
        state: state(row, 5)?,
        reason: row.get(6)?,
        policy,
        wait: None,
        due_at: optional_time(row, 8)?,
        expires_at: time(row, 9)?,
        starts: row.get(10)?,
        repeat_possible: row.get(11)?,
        last_failure,
        activity_id: row.get(15)?,
        content,
        parent_id: id(18)?,
        retry_of: id(19)?,
        merged_into: id(20)?,
        created_at: time(row, 21)?,
        updated_at: time(row, 22)?,
        ended_at: optional_time(row, 23)?,
    };
    let lane = Lane {
        paused: row.get(24)?,
        closed: row.get::<Option<String>>(25)?.is_some(),
        next_at: row.get(26)?,
        wait_reason: row.get(27)?,
        claimed: row.get::<Option<i64>>(NODE)?.is_some(),
    };
    delivery.wait = waiting(&delivery, lane, stopped, now);
    Ok(delivery)
}

/// What of its lane a delivery may have to wait for.
struct Lane {
    paused: bool,
    closed: bool,
    next_at: Option<i64>,
    wait_reason: Option<String>,
    claimed: bool,
}

fn waiting(delivery: &Delivery, lane: Lane, stopped: &Stopped, now: Timestamp) -> Option<Waiting> {
    let (reason, until) = match delivery.state {
        DeliveryState::Scheduled => ("scheduled".to_owned(), delivery.due_at),
        // What is held until somebody releases it is looked at once more, when it expires.
        DeliveryState::Held => (
            "held".to_owned(),
            delivery.due_at.filter(|due| *due < delivery.expires_at),
        ),
        DeliveryState::Retryable if delivery.due_at.is_some_and(|due| due > now) => {
            let reason = delivery.reason.clone();
            (reason.unwrap_or_else(|| "backoff".to_owned()), delivery.due_at)
        }
        DeliveryState::Available | DeliveryState::Retryable => {
            if lane.paused || stopped.includes(&delivery.channel_id) {
                ("paused".to_owned(), None)
            } else if lane.closed {
                ("closed".to_owned(), None)
            } else {
                match lane.next_at {
                    Some(at) if at > now.as_microsecond() => (
                        lane.wait_reason.unwrap_or_else(|| "pacing".to_owned()),
                        // A lane that waits for somebody to change something is far away.
                        Timestamp::from_microsecond(at).ok(),
                    ),
                    None if lane.claimed || delivery.due_at.is_none() => ("behind".to_owned(), None),
                    // Whoever looks next takes it.
                    _ => return None,
                }
            }
        }
        _ => return None,
    };
    Some(Waiting { reason, until })
}
