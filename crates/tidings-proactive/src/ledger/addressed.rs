//! Lanes with their addresses, found by conversation.

use tidings_activity::ConversationReference;
use tidings_store::{ColumnRef, Dialect, List, Row, StoreError, ToColumn as _, Tx, params};

use super::Result;
use super::enqueue::NewDelivery;
use super::lane::{Lane, LaneId, columns};

const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    ", reference, identity FROM lanes JOIN lane_addresses ON lane_id = lanes.id \
     WHERE channel_id = ?1 AND conversation_id = ?2"
);
const FIND_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    ", reference, identity FROM lanes JOIN lane_addresses ON lane_id = lanes.id \
     WHERE channel_id = ?1 AND conversation_id = ?2 FOR UPDATE OF lanes"
);
/// The same of many, locked in the order in which everybody locks lanes.
const FIND_ALL_LOCKED: &str = concat!(
    "SELECT ",
    columns!(),
    ", reference, identity FROM unnest(CAST(?1 AS TEXT[]), CAST(?2 AS TEXT[])) AS wanted (channel, conversation) \
     JOIN lanes ON channel_id = channel AND conversation_id = conversation \
     JOIN lane_addresses ON lane_id = lanes.id ORDER BY lanes.id FOR UPDATE OF lanes"
);

/// A lane, and what of it is read only when something is owed to it.
pub(super) struct AddressedLane {
    pub(super) lane: Lane,
    reference: String,
    identity: Option<String>,
}

impl AddressedLane {
    fn from_row(row: &Row<'_>) -> Result<AddressedLane> {
        Ok(AddressedLane {
            reference: row.get(12)?,
            identity: row.get(13)?,
            lane: Lane::from_row(row)?,
        })
    }

    fn conversation(&self) -> (&str, &str) {
        (&self.lane.channel_id, &self.lane.conversation_id)
    }

    /// Whether the delivery has an address of its own. A lane without open deliveries takes the newest, so that they
    /// need not bring theirs.
    pub(super) fn differs_from(&mut self, tx: &Tx<'_>, new: &NewDelivery) -> Result<bool> {
        // Lanes of the first versions have an address without a host.
        if self.reference == new.reference && self.identity == new.identity && !self.lane.host.is_empty() {
            return Ok(false);
        }
        if self.lane.backlog > 0 {
            return Ok(true);
        }
        self.lane.host = Whereabouts::of(&new.reference).host;
        self.reference.clone_from(&new.reference);
        self.identity.clone_from(&new.identity);
        tx.execute(
            "UPDATE lane_addresses SET host = ?2, reference = ?3, identity = ?4 WHERE lane_id = ?1",
            params![self.lane.id.0, self.lane.host, new.reference, new.identity],
        )?;
        Ok(false)
    }
}

/// The lanes of the given deliveries, each once, and for each delivery the place of its lane among them. Those that are
/// not known are opened; all are locked until the transaction ends.
pub(super) fn find_or_open(tx: &Tx<'_>, batch: &[&NewDelivery]) -> Result<(Vec<AddressedLane>, Vec<usize>)> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|index| batch[*index].conversation());
    let mut wanted: Vec<&NewDelivery> = Vec::with_capacity(batch.len());
    let mut places = vec![0; batch.len()];
    for index in order {
        if wanted
            .last()
            .is_none_or(|last| last.conversation() != batch[index].conversation())
        {
            wanted.push(batch[index]);
        }
        places[index] = wanted.len() - 1;
    }
    let lanes = match tx.dialect() {
        Dialect::Postgres if wanted.len() > 1 => find_or_open_at_once(tx, &wanted)?,
        _ => wanted
            .into_iter()
            .map(|new| find_or_open_one(tx, new))
            .collect::<Result<_>>()?,
    };
    Ok((lanes, places))
}

fn find_or_open_one(tx: &Tx<'_>, new: &NewDelivery) -> Result<AddressedLane> {
    let sql = match tx.dialect() {
        Dialect::Postgres => FIND_LOCKED,
        Dialect::Sqlite => FIND,
    };
    let find = || {
        tx.first(
            sql,
            params![new.channel_id, new.conversation_id],
            AddressedLane::from_row,
        )
    };
    if let Some(found) = find()? {
        return Ok(found);
    }
    open(
        tx,
        &new.channel_id,
        &new.conversation_id,
        &new.reference,
        new.identity.as_deref(),
    )?;
    find()?.ok_or_else(gone)
}

/// In one question, and two more where some are not known. `wanted` is in order, and so is the answer.
fn find_or_open_at_once(tx: &Tx<'_>, wanted: &[&NewDelivery]) -> Result<Vec<AddressedLane>> {
    fn column<'a>(wanted: &[&'a NewDelivery], value: impl Fn(&'a NewDelivery) -> ColumnRef<'a>) -> List<'a> {
        wanted.iter().map(|new| value(new)).collect()
    }
    let channels = column(wanted, |new| new.channel_id.to_column());
    let conversations = column(wanted, |new| new.conversation_id.to_column());
    let find = || -> Result<Vec<AddressedLane>> {
        let mut lanes = tx.all(
            FIND_ALL_LOCKED,
            params![channels, conversations],
            AddressedLane::from_row,
        )?;
        lanes.sort_unstable_by(|one, other| one.conversation().cmp(&other.conversation()));
        Ok(lanes)
    };
    let lanes = find()?;
    if lanes.len() == wanted.len() {
        return Ok(lanes);
    }
    let known =
        |new: &&&NewDelivery| lanes.binary_search_by_key(&new.conversation(), AddressedLane::conversation);
    let unknown: Vec<&NewDelivery> = wanted.iter().filter(|new| known(new).is_err()).copied().collect();
    let whereabouts: Vec<Whereabouts> = unknown
        .iter()
        .map(|new| Whereabouts::of(&new.reference))
        .collect();
    let tenants: List<'_> = whereabouts.iter().map(|of| of.tenant.to_column()).collect();
    let hosts: List<'_> = whereabouts.iter().map(|of| of.host.to_column()).collect();
    tx.execute(
        "WITH wanted AS (
             SELECT * FROM unnest(CAST(?1 AS TEXT[]), CAST(?2 AS TEXT[]), CAST(?3 AS TEXT[]), CAST(?4 AS TEXT[]),
                                  CAST(?5 AS TEXT[]), CAST(?6 AS TEXT[]))
                           AS wanted (channel, conversation, tenant, host, reference, identity)
         ), opened AS (
             INSERT INTO lanes (channel_id, conversation_id, tenant) SELECT channel, conversation, tenant FROM wanted
             ON CONFLICT (channel_id, conversation_id) DO NOTHING RETURNING id, channel_id, conversation_id
         )
         INSERT INTO lane_addresses (lane_id, host, reference, identity)
         SELECT id, host, reference, identity FROM opened JOIN wanted
                ON channel_id = channel AND conversation_id = conversation",
        params![
            column(&unknown, |new| new.channel_id.to_column()),
            column(&unknown, |new| new.conversation_id.to_column()),
            tenants,
            hosts,
            column(&unknown, |new| new.reference.to_column()),
            column(&unknown, |new| new.identity.to_column()),
        ],
    )?;
    let lanes = find()?;
    match lanes.len() == wanted.len() {
        true => Ok(lanes),
        false => Err(gone()),
    }
}

fn gone() -> StoreError {
    StoreError::message("a lane that was just opened is gone: try again")
}

/// Sees to it that a conversation is known, so that something can be owed to it by its id alone; and that it is open,
/// because somebody has just spoken there.
pub(crate) fn make_known(
    tx: &Tx<'_>,
    channel_id: &str,
    conversation_id: &str,
    reference: &str,
    identity: Option<&str>,
) -> Result<()> {
    let known = tx.first(
        "SELECT id, closed_reason IS NOT NULL FROM lanes WHERE channel_id = ?1 AND conversation_id = ?2",
        params![channel_id, conversation_id],
        |row| Ok((LaneId(row.get(0)?), row.get::<bool>(1)?)),
    )?;
    match known {
        Some((lane, true)) => return super::lane::reopen(tx, lane),
        Some(_) => return Ok(()),
        None => {}
    }
    open(tx, channel_id, conversation_id, reference, identity)
}

fn open(
    tx: &Tx<'_>,
    channel_id: &str,
    conversation_id: &str,
    reference: &str,
    identity: Option<&str>,
) -> Result<()> {
    let Whereabouts { tenant, host } = Whereabouts::of(reference);
    let opened = tx.insert(
        "INSERT INTO lanes (channel_id, conversation_id, tenant) VALUES (?1, ?2, ?3)
         ON CONFLICT (channel_id, conversation_id) DO NOTHING",
        "id",
        params![channel_id, conversation_id, tenant],
    )?;
    if let Some(id) = opened {
        tx.execute(
            "INSERT INTO lane_addresses (lane_id, host, reference, identity) VALUES (?1, ?2, ?3, ?4)",
            params![id, host, reference, identity],
        )?;
    }
    Ok(())
}

/// Whose budget a conversation uses, and whose breaker.
#[derive(Default)]
pub(super) struct Whereabouts {
    pub(super) tenant: String,
    pub(super) host: String,
}

impl Whereabouts {
    pub(super) fn of(reference: &str) -> Self {
        let Ok(reference) = serde_json::from_str::<ConversationReference>(reference) else {
            // It is found out when it is sent.
            return Self::default();
        };
        let host = reference.service_url.as_deref().map(host_of).unwrap_or_default();
        let tenant = reference.conversation.and_then(|account| account.tenant_id);
        // An id with a NUL character is none, and no database keeps it.
        let known = |text: String| Some(text).filter(|text| !text.contains('\0')).unwrap_or_default();
        Self {
            tenant: known(tenant.unwrap_or_default()),
            host: known(host),
        }
    }
}

fn host_of(service_url: &str) -> String {
    let after_scheme = service_url
        .split_once("://")
        .map_or(service_url, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.to_ascii_lowercase()
}
