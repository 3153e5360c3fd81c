//! How it stands with everything, at a cost that does not grow with the record.

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use super::row;
use crate::delivery::{DeliveryState, PausedLane, Pauses, Summary};

const COUNT: &str = "SELECT count(*) FROM (
         SELECT 1 FROM deliveries AS d
         WHERE d.state = ?1 AND d.state <> 'delivered' AND d.state <> 'sending' LIMIT 100000) AS counted";
const COUNT_SENDING: &str = "SELECT count(*) FROM (
         SELECT 1 FROM deliveries AS d WHERE d.state = 'sending' LIMIT 100000) AS counted";
const OLDEST: &str = "SELECT d.created_at FROM deliveries AS d
     WHERE d.state = ?1 AND d.state <> 'delivered' AND d.state <> 'sending' ORDER BY d.id LIMIT 1";
const OLDEST_SENDING: &str =
    "SELECT d.created_at FROM deliveries AS d WHERE d.state = 'sending' ORDER BY d.id LIMIT 1";
const PAUSED_LANES: &str =
    "SELECT channel_id, conversation_id FROM lanes WHERE paused ORDER BY id LIMIT 1000";

/// The statements, for the test that looks at how they find their rows.
#[cfg(test)]
pub(super) const STATEMENTS: [(&str, &str); 5] = [
    (COUNT, "deliveries_by_state"),
    (COUNT_SENDING, "deliveries_sending"),
    (OLDEST, "deliveries_by_state"),
    (OLDEST_SENDING, "deliveries_sending"),
    (PAUSED_LANES, "lanes_paused"),
];

/// How many deliveries are in each state, how old the oldest waiting one is, and what is paused.
pub(crate) fn summary(tx: &Tx<'_>) -> Result<Summary, StoreError> {
    let mut states = Vec::new();
    let mut oldest = None;
    for state in DeliveryState::ALL {
        let count: i64 = match state {
            DeliveryState::Delivered => continue,
            DeliveryState::Sending => tx.first(COUNT_SENDING, &[], |row| row.get(0))?,
            _ => tx.first(COUNT, params![state.as_str()], |row| row.get(0))?,
        }
        .unwrap_or(0);
        states.push((state, u64::try_from(count).unwrap_or(0)));
        let first = match state {
            DeliveryState::Sending => tx.first(OLDEST_SENDING, &[], |row| row::time(row, 0))?,
            DeliveryState::Available | DeliveryState::Retryable => {
                tx.first(OLDEST, params![state.as_str()], |row| row::time(row, 0))?
            }
            _ => None,
        };
        oldest = [oldest, first].into_iter().flatten().min();
    }
    Ok(Summary {
        states,
        oldest,
        paused: pauses(tx)?,
    })
}

/// When the oldest delivery that waits to be sent was put on record.
pub(crate) fn oldest_waiting(tx: &Tx<'_>) -> Result<Option<Timestamp>, StoreError> {
    let of = |state: DeliveryState| tx.first(OLDEST, params![state.as_str()], |row| row::time(row, 0));
    let (available, retryable) = (of(DeliveryState::Available)?, of(DeliveryState::Retryable)?);
    Ok([available, retryable].into_iter().flatten().min())
}

/// What is paused.
pub(crate) fn pauses(tx: &Tx<'_>) -> Result<Pauses, StoreError> {
    let Stopped { all, channels } = Stopped::read(tx)?;
    let lanes = tx.all(PAUSED_LANES, &[], |row| {
        Ok(PausedLane {
            channel_id: row.get(0)?,
            conversation_id: row.get(1)?,
        })
    })?;
    Ok(Pauses { all, channels, lanes })
}

/// What is stopped beside single lanes.
pub(crate) struct Stopped {
    pub(crate) all: bool,
    pub(crate) channels: Vec<String>,
}

impl Stopped {
    pub(crate) fn read(tx: &Tx<'_>) -> Result<Self, StoreError> {
        let mut stopped = Stopped {
            all: false,
            channels: Vec::new(),
        };
        let rows: Vec<(String, String)> = tx.all(
            "SELECT scope, channel_id FROM pauses ORDER BY scope, channel_id LIMIT 1000",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        for (scope, channel) in rows {
            match scope.as_str() {
                "all" => stopped.all = true,
                _ => stopped.channels.push(channel),
            }
        }
        Ok(stopped)
    }

    /// Whether nothing is sent to this channel.
    pub(crate) fn includes(&self, channel: &str) -> bool {
        self.all || self.channels.iter().any(|stopped| stopped == channel)
    }
}
