//! One delivery with its attempts and its waits.

use jiff::{SignedDuration, Timestamp};
use tidings_store::{Row, StoreError, Tx, params};

use super::row::{self, ACTIVITY, BEGAN_AT, NODE, PAYLOAD, select};
use super::summary::Stopped;
use crate::delivery::{Attempt, Body, Content, Delivery, DeliveryDetail, DeliveryId, DeliveryState, Wait};
use crate::wait_reason::WaitReason;

/// Nobody asks what a delivery did for less.
const A_MOMENT: SignedDuration = SignedDuration::from_millis(10);

pub(super) const BY_ID: &str = select!("WHERE d.id = ?1");
pub(super) const ATTEMPTS: &str =
    "SELECT start, node, began_at, ended_at, outcome, status, code, message, retry_after_ms
     FROM attempts WHERE delivery_id = ?1 ORDER BY start DESC LIMIT 1000";
pub(super) const WAITS: &str =
    "SELECT since, until, reason FROM delivery_waits WHERE delivery_id = ?1 ORDER BY since DESC LIMIT 1000";

/// The delivery with this id.
pub(crate) fn one(tx: &Tx<'_>, id: DeliveryId, now: Timestamp) -> Result<Option<Delivery>, StoreError> {
    let stopped = Stopped::read(tx)?;
    tx.first(BY_ID, params![id.0], |row| row::delivery(row, &stopped, now))
}

/// The delivery with this id, and all that is on record about it.
pub(crate) fn detail(
    tx: &Tx<'_>,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Option<DeliveryDetail>, StoreError> {
    let stopped = Stopped::read(tx)?;
    let found = tx.first(BY_ID, params![id.0], |row| {
        let delivery = row::delivery(row, &stopped, now)?;
        let body = match &delivery.content {
            Content::Activity { .. } => Body::Activity(row.get(ACTIVITY)?),
            Content::Handler { .. } => Body::Payload(row.get(PAYLOAD)?),
        };
        let last = last_attempt(&delivery, row)?;
        Ok((delivery, body, last))
    })?;
    let Some((delivery, body, last)) = found else {
        return Ok(None);
    };
    let mut attempts = tx.all(ATTEMPTS, params![id.0], attempt)?;
    attempts.reverse();
    attempts.extend(last);
    let mut waits = tx.all(WAITS, params![id.0], |row| {
        Ok(Wait {
            since: row::time(row, 0)?,
            until: row::optional_time(row, 1)?,
            reason: row.get(2)?,
        })
    })?;
    waits.reverse();
    if delivery.state == DeliveryState::Scheduled {
        waits.push(Wait {
            since: delivery.created_at,
            until: delivery.due_at,
            reason: WaitReason::Scheduled.as_str().to_owned(),
        });
    }
    for wait in &mut waits {
        wait.until = ended(wait, &attempts, &delivery);
    }
    let turns = turns(&waits, &attempts, &delivery);
    waits.extend(turns);
    waits.sort_by_key(|wait| wait.since);
    Ok(Some(DeliveryDetail {
        delivery,
        body,
        attempts,
        waits,
    }))
}

/// A wait is put on record with the end it was meant to have; it was over earlier if something happened earlier.
fn ended(wait: &Wait, attempts: &[Attempt], delivery: &Delivery) -> Option<Timestamp> {
    let tried = attempts
        .iter()
        .map(|attempt| attempt.began_at)
        .find(|began| *began >= wait.since);
    [wait.until, tried, delivery.ended_at].into_iter().flatten().min()
}

/// Waits are put on record for what is the next of its class. The rest of the time it was not: others of its conversation
/// came first, or nobody was free to look.
fn turns(waits: &[Wait], attempts: &[Attempt], delivery: &Delivery) -> Vec<Wait> {
    let known = waits.iter().map(|wait| (wait.since, wait.until));
    let tried = attempts
        .iter()
        .map(|attempt| (attempt.began_at, attempt.ended_at));
    let end = delivery.ended_at.map(|ended| (ended, delivery.ended_at));
    let mut spans: Vec<_> = known.chain(tried).chain(end).collect();
    spans.sort_unstable();
    let mut turns = Vec::new();
    // Until then it is told what it did.
    let mut told = Some(delivery.created_at);
    for (since, until) in spans {
        let Some(before) = told else { break };
        if since.duration_since(before) > A_MOMENT {
            turns.push(Wait {
                since: before,
                until: Some(since),
                reason: "turn".to_owned(),
            });
        }
        told = until.map(|until| until.max(before));
    }
    turns
}

fn attempt(row: &Row<'_>) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        start: row.get(0)?,
        node: Some(row.get(1)?),
        began_at: row::time(row, 2)?,
        ended_at: Some(row::time(row, 3)?),
        outcome: row.get(4)?,
        status: row.get(5)?,
        code: row.get(6)?,
        message: row.get(7)?,
        retry_after_ms: row.get(8)?,
    })
}

/// The attempt that delivered, or goes on: only the delivery's own row knows of it.
fn last_attempt(delivery: &Delivery, row: &Row<'_>) -> Result<Option<Attempt>, StoreError> {
    let began_at = row::optional_time(row, BEGAN_AT)?;
    let (Some(began_at), DeliveryState::Delivered | DeliveryState::Sending) = (began_at, delivery.state)
    else {
        return Ok(None);
    };
    Ok(Some(Attempt {
        start: delivery.starts,
        node: match delivery.state {
            DeliveryState::Sending => row.get(NODE)?,
            _ => None,
        },
        began_at,
        ended_at: delivery.ended_at,
        outcome: delivery.state.as_str().to_owned(),
        status: None,
        code: None,
        message: None,
        retry_after_ms: None,
    }))
}
