//! Putting deliveries on record.

use std::time::Duration;

use jiff::Timestamp;
use tidings_activity::ConversationReference;
use tidings_store::{Dialect, Tx, params};

use super::Result;
use super::claim::{self, Allowance, Claimed};
use super::lane::{Lane, LaneId, columns};
use crate::delivery::DeliveryId;
use crate::state::DeliveryState;
use crate::unknown_policy::UnknownPolicy;

/// How long a dedupe key is remembered.
const DEDUPE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

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

/// What a delivery brings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// An activity, as JSON.
    Activity(String),
    /// A named handler, and its payload as JSON.
    Handler { name: String, payload: String },
}

impl Content {
    pub(super) fn activity(&self) -> Option<&str> {
        match self {
            Content::Activity(activity) => Some(activity),
            Content::Handler { .. } => None,
        }
    }

    pub(super) fn handler(&self) -> Option<(&str, &str)> {
        match self {
            Content::Activity(_) => None,
            Content::Handler { name, payload } => Some((name, payload)),
        }
    }
}

/// A delivery about to be put on record.
#[derive(Clone, Debug)]
pub(crate) struct NewDelivery {
    pub(crate) channel_id: String,
    pub(crate) conversation_id: String,
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
    pub(crate) content: Content,
    pub(crate) class: String,
    pub(crate) policy: UnknownPolicy,
    pub(crate) dedupe: Option<Dedupe>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) parent: Option<Parent>,
    pub(crate) trace: Option<String>,
}

/// Owes a delivery once.
#[derive(Clone, Debug)]
pub(crate) struct Dedupe {
    pub(crate) key: String,
    pub(crate) body_sha256: [u8; 32],
}

/// The delivery whose handler sent this one, and where that stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parent {
    pub(crate) id: DeliveryId,
    pub(crate) place: i64,
}

/// What [`enqueue`] did.
#[derive(Debug)]
pub(crate) struct Enqueued {
    pub(crate) id: DeliveryId,
    pub(crate) state: DeliveryState,
    /// A replay of a dedupe key: `id` is the first delivery's.
    pub(crate) replay: bool,
    /// The new delivery, if the caller may claim it.
    pub(crate) claimed: Option<Claimed>,
}

/// Why a delivery was not put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The key belongs to another body.
    OtherBody { id: DeliveryId },
    /// The conversation has as many open deliveries as it may.
    BacklogFull,
    /// All conversations of its tenant together have as many as they may.
    TenantFull { tenant: String },
}

/// Whether something is put on record although there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insist {
    /// It is refused: its caller is told, and tries again.
    No,
    /// It takes its place all the same: what it comes from was accepted before.
    Yes,
}

/// Puts a delivery on record, once for each dedupe key. An idle lane is claimed for it at once, if that is
/// allowed.
pub(crate) fn enqueue(
    tx: &Tx<'_>,
    new: NewDelivery,
    now: Timestamp,
    insist: Insist,
    allowance: &mut Allowance<'_>,
) -> Result<std::result::Result<Enqueued, Refusal>> {
    if let Some(dedupe) = &new.dedupe
        && let Some(first) = first_of(tx, &Whereabouts::of(&new.reference).tenant, dedupe, now)?
    {
        return Ok(first);
    }
    let (mut lane, known) = find_or_open(tx, &new)?;
    if let Some(dedupe) = &new.dedupe
        && tx.dialect() == Dialect::Postgres
        // Whoever held the lane may have put the same on record.
        && let Some(first) = first_of(tx, &Whereabouts::of(&new.reference).tenant, dedupe, now)?
    {
        return Ok(first);
    }
    if let Some(bounds) = allowance.bounds()
        && !lane.closed
    {
        let lane_is_full = lane.backlog >= i64::from(bounds.lane);
        if lane_is_full && insist == Insist::No {
            return Ok(Err(Refusal::BacklogFull));
        }
        if !bounds.take(tx, &lane.tenant, now)? && insist == Insist::No {
            return Ok(Err(Refusal::TenantFull { tenant: lane.tenant }));
        }
    }
    // Lanes of the first versions have an address without a host.
    let is_known = known.is_this(&new) && !lane.host.is_empty();
    let own_address = !(is_known || (lane.backlog == 0 && readdress(tx, &mut lane, &new)?));
    let due_at = new.not_before.filter(|at| *at > now && !lane.closed);
    let state = if lane.closed {
        DeliveryState::Refused
    } else if due_at.is_some() {
        DeliveryState::Scheduled
    } else {
        DeliveryState::Available
    };
    let idle = state == DeliveryState::Available && lane.node.is_none() && lane.next_at.is_none();
    let verdict = match allowance.claiming() {
        Some(claiming) if idle && lane.backlog == 0 => claim::may_send(tx, claiming, &mut lane, now)?,
        _ => None,
    };
    let state = if verdict.is_some() {
        DeliveryState::Sending
    } else {
        state
    };
    let id = insert(tx, lane.id, &new, own_address, state, due_at, now)?;
    if let Some(dedupe) = &new.dedupe {
        remember(tx, &Whereabouts::of(&new.reference).tenant, dedupe, id, now)?;
    }
    let mut enqueued = Enqueued {
        id,
        state,
        replay: false,
        claimed: None,
    };
    if state.is_final() {
        return Ok(Ok(enqueued));
    }
    lane.backlog += 1;
    match verdict {
        Some(node) => {
            allowance.spend();
            lane.epoch += 1;
            super::lane::hold(tx, &lane, node)?;
            enqueued.claimed = Some(Claimed::of_new(lane, node, id, new, now));
        }
        // A lane without a wait of its own is looked at now. If it is paused, that is where its wait begins.
        None if idle => {
            allowance.leave();
            super::lane::release(tx, &lane, Some(now.as_microsecond()), None)?;
        }
        None => {
            if due_at.is_some() {
                allowance.leave();
            }
            tx.execute(
                "UPDATE lanes SET backlog = backlog + 1 WHERE id = ?1",
                params![lane.id.0],
            )?;
        }
    }
    Ok(Ok(enqueued))
}

/// Deliveries with their places in a batch, in the order in which their lanes are locked by everybody. Those of one lane
/// stay in their order.
pub(crate) fn in_lane_order(tx: &Tx<'_>, batch: Vec<NewDelivery>) -> Result<Vec<(usize, NewDelivery)>> {
    let mut in_order: Vec<(usize, NewDelivery)> = batch.into_iter().enumerate().collect();
    in_order.sort_by(|(_, one), (_, other)| {
        (&one.channel_id, &one.conversation_id).cmp(&(&other.channel_id, &other.conversation_id))
    });
    if tx.dialect() == Dialect::Sqlite {
        // Nothing else writes meanwhile.
        return Ok(in_order);
    }
    let mut with_lanes: Vec<(i64, usize, NewDelivery)> = Vec::with_capacity(in_order.len());
    for (index, new) in in_order {
        let lane = match with_lanes.last() {
            Some((lane, _, last))
                if (&last.channel_id, &last.conversation_id) == (&new.channel_id, &new.conversation_id) =>
            {
                *lane
            }
            _ => {
                make_known(
                    tx,
                    &new.channel_id,
                    &new.conversation_id,
                    &new.reference,
                    new.identity.as_deref(),
                )?;
                let lane: Option<i64> = tx.first(
                    "SELECT id FROM lanes WHERE channel_id = ?1 AND conversation_id = ?2",
                    params![new.channel_id, new.conversation_id],
                    |row| row.get(0),
                )?;
                lane.unwrap_or_default()
            }
        };
        with_lanes.push((lane, index, new));
    }
    with_lanes.sort_by_key(|(lane, _, _)| *lane);
    Ok(with_lanes
        .into_iter()
        .map(|(_, index, new)| (index, new))
        .collect())
}

/// The reference and identity of a lane.
struct Address {
    reference: String,
    identity: Option<String>,
}

impl Address {
    fn is_this(&self, new: &NewDelivery) -> bool {
        self.reference == new.reference && self.identity == new.identity
    }
}

fn find_or_open(tx: &Tx<'_>, new: &NewDelivery) -> Result<(Lane, Address)> {
    let sql = match tx.dialect() {
        Dialect::Postgres => FIND_LOCKED,
        Dialect::Sqlite => FIND,
    };
    let find = || {
        tx.first(sql, params![new.channel_id, new.conversation_id], |row| {
            let address = Address {
                reference: row.get(12)?,
                identity: row.get(13)?,
            };
            Ok((Lane::from_row(row)?, address))
        })
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
    find()?
        .ok_or_else(|| tidings_store::StoreError::message("a lane that was just opened is gone: try again"))
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
struct Whereabouts {
    tenant: String,
    host: String,
}

impl Whereabouts {
    fn of(reference: &str) -> Self {
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

/// A lane without open deliveries takes the newest address, so that they need not bring their own.
fn readdress(tx: &Tx<'_>, lane: &mut Lane, new: &NewDelivery) -> Result<bool> {
    lane.host = Whereabouts::of(&new.reference).host;
    tx.execute(
        "UPDATE lane_addresses SET host = ?2, reference = ?3, identity = ?4 WHERE lane_id = ?1",
        params![lane.id.0, lane.host, new.reference, new.identity],
    )?;
    Ok(true)
}

fn insert(
    tx: &Tx<'_>,
    lane: LaneId,
    new: &NewDelivery,
    own_address: bool,
    state: DeliveryState,
    due_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<DeliveryId> {
    let now = now.as_microsecond();
    let sending = state == DeliveryState::Sending;
    let id = tx.insert(
        "INSERT INTO deliveries (lane_id, class, place, state, reason, policy, reference, identity, activity, handler,
                                 payload, due_at, expires_at, starts, began_at, parent_id, trace, created_at,
                                 updated_at, ended_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18, ?19)",
        "id",
        params![
            lane.0,
            new.class,
            new.parent.map(|parent| parent.place),
            state.as_str(),
            (state == DeliveryState::Refused).then_some("lane_closed"),
            new.policy.as_str(),
            own_address.then_some(new.reference.as_str()),
            new.identity.as_deref().filter(|_| own_address),
            new.content.activity(),
            new.content.handler().map(|(name, _)| name),
            new.content.handler().map(|(_, payload)| payload),
            due_at.map(Timestamp::as_microsecond),
            new.expires_at.as_microsecond(),
            u32::from(sending),
            sending.then_some(now),
            new.parent.map(|parent| parent.id.0),
            new.trace,
            now,
            state.is_final().then_some(now),
        ],
    )?;
    id.map(DeliveryId)
        .ok_or_else(|| tidings_store::StoreError::message("the database gave a new delivery no id"))
}

/// The delivery that a dedupe key belongs to, if it is known.
fn first_of(
    tx: &Tx<'_>,
    tenant: &str,
    dedupe: &Dedupe,
    now: Timestamp,
) -> Result<Option<std::result::Result<Enqueued, Refusal>>> {
    let found = tx.first(
        "SELECT delivery_id, body_sha256, state, dedupe_keys.expires_at
         FROM dedupe_keys LEFT JOIN deliveries ON deliveries.id = delivery_id
         WHERE tenant = ?1 AND key = ?2",
        params![tenant, dedupe.key],
        |row| {
            let state: Option<String> = row.get(2)?;
            let body: Vec<u8> = row.get(1)?;
            Ok((DeliveryId(row.get(0)?), body, state, row.get::<i64>(3)?))
        },
    )?;
    let Some((id, body, state, expires_at)) = found else {
        return Ok(None);
    };
    if expires_at <= now.as_microsecond() {
        tx.execute(
            "DELETE FROM dedupe_keys WHERE tenant = ?1 AND key = ?2",
            params![tenant, dedupe.key],
        )?;
        return Ok(None);
    }
    // Keys of the first version were kept without what they stood for.
    let is_same = body == dedupe.body_sha256 || body.iter().all(|byte| *byte == 0);
    if !is_same {
        return Ok(Some(Err(Refusal::OtherBody { id })));
    }
    let state = state.as_deref().and_then(DeliveryState::from_row);
    Ok(Some(Ok(Enqueued {
        id,
        // Its row was pruned, which only happens to one that has ended.
        state: state.unwrap_or(DeliveryState::Delivered),
        replay: true,
        claimed: None,
    })))
}

fn remember(tx: &Tx<'_>, tenant: &str, dedupe: &Dedupe, id: DeliveryId, now: Timestamp) -> Result<()> {
    let expires_at = now.checked_add(DEDUPE_FOR).unwrap_or(Timestamp::MAX);
    tx.execute(
        "INSERT INTO dedupe_keys (tenant, key, delivery_id, body_sha256, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![tenant, dedupe.key, id.0, dedupe.body_sha256, expires_at.as_microsecond()],
    )?;
    Ok(())
}
