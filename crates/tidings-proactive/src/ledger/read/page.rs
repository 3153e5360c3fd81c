//! The deliveries that fit a filter, the newest first.
//!
//! A page is put together from streams, each a walk along an index from the newest id down: all deliveries, those in
//! one state, those of one lane. What a stream's index does not know is looked at row by row, for at most [`WALK`] rows:
//! then the page ends where the stream has come to, and its cursor goes on from there.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use tidings_store::{StoreError, ToColumn, Tx, params};

use super::row::{self, select};
use super::summary::Stopped;
use crate::delivery::{Delivery, DeliveryFilter, DeliveryId, DeliveryPage, DeliveryState};

/// The most rows of a stream that are looked at for one page.
const WALK: usize = 20_000;
/// Ids rise with time, but the clocks of nodes differ, and one may be set back. No further than this.
const DISORDER: SignedDuration = SignedDuration::from_mins(10);
/// How many deliveries one statement fetches.
const FETCH: usize = 50;

macro_rules! walk {
    ($filter:literal) => {
        concat!(
            "SELECT d.id, d.state, d.created_at, lanes.channel_id
             FROM deliveries AS d JOIN lanes ON lanes.id = d.lane_id
             WHERE d.id < ?1 AND d.id >= ?2 ",
            $filter,
            " ORDER BY d.id DESC LIMIT ?3"
        )
    };
}

const ALL: &str = walk!("");
const IN_STATE: &str = walk!("AND d.state = ?4 AND d.state <> 'delivered' AND d.state <> 'sending'");
const SENDING: &str = walk!("AND d.state = 'sending'");
const OF_LANE: &str = walk!("AND d.lane_id = ?4");
const LANES: &str =
    "SELECT id FROM lanes WHERE conversation_id = ?1 ORDER BY conversation_id, channel_id LIMIT 100";
const LANE: &str = "SELECT id FROM lanes WHERE conversation_id = ?1 AND channel_id = ?2";
const FROM_ID: &str = "SELECT id, created_at FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT 1";
const LAST_ID: &str = "SELECT id FROM deliveries ORDER BY id DESC LIMIT 1";
const BY_IDS: &str = select!(
    "WHERE d.id IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                    ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41,
                    ?42, ?43, ?44, ?45, ?46, ?47, ?48, ?49, ?50)"
);

/// The statements, for the test that looks at how they find their rows.
#[cfg(test)]
pub(super) const STATEMENTS: [(&str, &str); 8] = [
    (ALL, "SEARCH d USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    (
        IN_STATE,
        "SEARCH d USING INDEX deliveries_by_state (state=? AND id>? AND id<?)",
    ),
    (SENDING, "deliveries_sending"),
    (
        OF_LANE,
        "SEARCH d USING INDEX deliveries_by_lane (lane_id=? AND id>? AND id<?)",
    ),
    (LANES, "sqlite_autoindex_lanes_1 (conversation_id=?)"),
    (
        LANE,
        "sqlite_autoindex_lanes_1 (conversation_id=? AND channel_id=?)",
    ),
    (FROM_ID, "INTEGER PRIMARY KEY (rowid>?)"),
    (BY_IDS, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
];

/// At most `limit` deliveries that fit.
pub(crate) fn page(
    tx: &Tx<'_>,
    filter: &DeliveryFilter,
    limit: usize,
    now: Timestamp,
) -> Result<DeliveryPage, StoreError> {
    let limit = limit.max(1);
    let Some(range) = Range::of(tx, filter)? else {
        return Ok(DeliveryPage::default());
    };
    let streams = streams(tx, filter)?;
    let mut ids = Vec::new();
    // Below this id some stream has not been looked at.
    let mut horizon = i64::MIN;
    for stream in streams {
        let walked = stream.walk(tx, filter, range, limit + 1)?;
        ids.extend(walked.ids);
        horizon = horizon.max(walked.seen_down_to.unwrap_or(i64::MIN));
    }
    ids.retain(|id| *id >= horizon);
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.dedup();
    let next = if ids.len() > limit {
        ids.truncate(limit);
        ids.last().copied()
    } else {
        (horizon > range.from).then_some(horizon)
    };
    Ok(DeliveryPage {
        deliveries: fetch(tx, &ids, now)?,
        next: next.map(DeliveryId),
    })
}

/// The lanes of a conversation: one, or one in each channel if the channel is not named.
pub(crate) fn lanes(tx: &Tx<'_>, channel: Option<&str>, conversation: &str) -> Result<Vec<i64>, StoreError> {
    match channel {
        None => tx.all(LANES, params![conversation], |row| row.get(0)),
        Some(channel) => tx.all(LANE, params![conversation, channel], |row| row.get(0)),
    }
}

/// A walk along an index, from the newest id down.
enum Stream {
    /// Along the ids, taking only this state if one is named.
    All(Option<DeliveryState>),
    InState(DeliveryState),
    OfLane(i64),
}

fn streams(tx: &Tx<'_>, filter: &DeliveryFilter) -> Result<Vec<Stream>, StoreError> {
    if let Some(conversation) = &filter.conversation_id {
        let lanes = lanes(tx, filter.channel_id.as_deref(), conversation)?;
        return Ok(lanes.into_iter().map(Stream::OfLane).collect());
    }
    if filter.states.is_empty() {
        return Ok(vec![Stream::All(None)]);
    }
    let in_state = |state: &DeliveryState| match state {
        DeliveryState::Delivered => Stream::All(Some(*state)),
        _ => Stream::InState(*state),
    };
    Ok(filter.states.iter().map(in_state).collect())
}

/// What a stream has given.
struct Walked {
    ids: Vec<i64>,
    /// The last id that was looked at, if there may be more below.
    seen_down_to: Option<i64>,
}

impl Stream {
    /// The first `wanted` ids of the stream that fit the filter.
    fn walk(
        &self,
        tx: &Tx<'_>,
        filter: &DeliveryFilter,
        range: Range,
        wanted: usize,
    ) -> Result<Walked, StoreError> {
        let any_state = match self {
            Stream::All(state) => state.is_none(),
            Stream::InState(_) => true,
            Stream::OfLane(_) => filter.states.is_empty(),
        };
        let any_channel = filter.channel_id.is_none() || matches!(self, Stream::OfLane(_));
        let any_time = filter.since.is_none() && filter.until.is_none();
        let all_fit = any_state && any_channel && any_time;
        let most = if all_fit { wanted } else { WALK };
        let most_rows = i64::try_from(most).unwrap_or(i64::MAX);
        let (mut ids, mut rows, mut last) = (Vec::new(), 0, 0);
        let look = |row: &tidings_store::Row<'_>| {
            rows += 1;
            last = row.get(0)?;
            let state = row::state(row, 1)?;
            let state_fits = match self {
                Stream::All(Some(only)) => state == *only,
                _ => filter.states.is_empty() || filter.states.contains(&state),
            };
            let channel_fits = match &filter.channel_id {
                Some(channel) => row.text(3)? == channel,
                None => true,
            };
            let created = row::time(row, 2)?;
            let time_fits = filter.since.is_none_or(|since| created >= since)
                && filter.until.is_none_or(|until| created < until);
            if state_fits && channel_fits && time_fits {
                ids.push(last);
            }
            Ok(match ids.len() < wanted {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        };
        let Range { from, below } = range;
        match self {
            Stream::All(_) => tx.visit(ALL, params![below, from, most_rows], look),
            Stream::InState(DeliveryState::Sending) => {
                tx.visit(SENDING, params![below, from, most_rows], look)
            }
            Stream::InState(state) => {
                tx.visit(IN_STATE, params![below, from, most_rows, state.as_str()], look)
            }
            Stream::OfLane(lane) => tx.visit(OF_LANE, params![below, from, most_rows, *lane], look),
        }?;
        let stopped = rows == most || ids.len() == wanted;
        Ok(Walked {
            ids,
            seen_down_to: stopped.then_some(last),
        })
    }
}

/// Ids that a page may have.
#[derive(Clone, Copy)]
struct Range {
    from: i64,
    below: i64,
}

impl Range {
    /// `None` if there can be no deliveries.
    fn of(tx: &Tx<'_>, filter: &DeliveryFilter) -> Result<Option<Self>, StoreError> {
        let Some(last) = tx.first(LAST_ID, &[], |row| row.get::<i64>(0))? else {
            return Ok(None);
        };
        let mut range = Range {
            from: 1,
            below: last.saturating_add(1),
        };
        if let Some(before) = filter.before {
            range.below = range.below.min(before.0);
        }
        if let Some(since) = filter.since {
            let time = since.checked_sub(DISORDER).unwrap_or(Timestamp::MIN);
            range.from = first_at(tx, time, last)?;
        }
        if let Some(until) = filter.until {
            let time = until.checked_add(DISORDER).unwrap_or(Timestamp::MAX);
            range.below = range.below.min(first_at(tx, time, last)?);
        }
        Ok((range.from < range.below).then_some(range))
    }
}

/// The id from which on deliveries were put on record at `time` or later: there is no index over times, but ids rise
/// with them.
fn first_at(tx: &Tx<'_>, time: Timestamp, last: i64) -> Result<i64, StoreError> {
    let (mut low, mut high) = (1, last.saturating_add(1));
    while low < high {
        let middle = low + (high - low) / 2;
        let found = tx.first(FROM_ID, params![middle], |row| {
            Ok((row.get::<i64>(0)?, row::time(row, 1)?))
        })?;
        match found {
            Some((id, created)) if created < time => low = id.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The deliveries with these ids, in their order. An id that is gone is left out.
fn fetch(tx: &Tx<'_>, ids: &[i64], now: Timestamp) -> Result<Vec<Delivery>, StoreError> {
    let stopped = Stopped::read(tx)?;
    let mut deliveries = Vec::with_capacity(ids.len());
    for some in ids.chunks(FETCH) {
        let mut padded = [0_i64; FETCH];
        for (place, id) in padded.iter_mut().zip(some) {
            *place = *id;
        }
        let ids = padded.each_ref().map(|id| id as &dyn ToColumn);
        let first = deliveries.len();
        deliveries.extend(tx.all(BY_IDS, &ids, |row| row::delivery(row, &stopped, now))?);
        deliveries[first..].sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
    }
    Ok(deliveries)
}
