//! Putting deliveries on record.

use jiff::Timestamp;
use tidings_store::{Dialect, StoreError, Tx};

use super::addressed::{self, AddressedLane, Whereabouts};
use super::claim::{self, Allowance, Claimed};
use super::lane::LaneWrites;
use super::new_rows::{NewRow, NewRows};
use super::{Result, dedupe};
use crate::delivery::DeliveryId;
use crate::state::DeliveryState;
use crate::unknown_policy::UnknownPolicy;

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

impl NewDelivery {
    pub(super) fn conversation(&self) -> (&str, &str) {
        (&self.channel_id, &self.conversation_id)
    }

    fn tenant(&self) -> String {
        Whereabouts::of(&self.reference).tenant
    }
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

/// What [`enqueue_all`] did.
#[derive(Debug)]
pub(crate) struct Enqueued {
    pub(crate) id: DeliveryId,
    pub(crate) state: DeliveryState,
    /// A replay of a dedupe key: `id` is the first delivery's.
    pub(crate) replay: bool,
    /// The new delivery, if the caller may claim it.
    pub(crate) claimed: Option<Claimed>,
}

/// The first delivery of a batch that was not put on record, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) index: usize,
    pub(crate) refusal: Refusal,
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

/// Puts a delivery on record: a batch of one.
pub(crate) fn enqueue(
    tx: &Tx<'_>,
    new: NewDelivery,
    now: Timestamp,
    insist: Insist,
    allowance: &mut Allowance<'_>,
) -> Result<std::result::Result<Enqueued, Refusal>> {
    Ok(match enqueue_all(tx, vec![new], now, insist, allowance)? {
        Ok(mut enqueued) => Ok(enqueued.pop().ok_or_else(without_lane)?),
        Err(refused) => Err(refused.refusal),
    })
}

/// Puts deliveries on record in their order, each once for its dedupe key. An idle lane is claimed at once for the first
/// of its own, if that is allowed. If one is refused, the transaction has to be undone where others came before it.
pub(crate) fn enqueue_all(
    tx: &Tx<'_>,
    batch: Vec<NewDelivery>,
    now: Timestamp,
    insist: Insist,
    allowance: &mut Allowance<'_>,
) -> Result<std::result::Result<Vec<Enqueued>, Refused>> {
    let known = batch
        .iter()
        .map(|new| first_of(tx, new, now))
        .collect::<Result<Vec<_>>>()?;
    let unknown: Vec<&NewDelivery> = batch
        .iter()
        .zip(&known)
        .filter_map(|(new, known)| known.is_none().then_some(new))
        .collect();
    let (found, places) = addressed::find_or_open(tx, &unknown)?;
    let mut lanes: Vec<Touched> = found.into_iter().map(Touched::from).collect();
    let mut places = places.into_iter();
    // Whoever had a lane in hand may have put the same on record, or one before it in the batch.
    let look_again = tx.dialect() == Dialect::Postgres || batch.len() > 1;
    let mut rows = NewRows::new(tx, &batch)?;
    let mut enqueued = Vec::with_capacity(batch.len());
    for (index, (new, mut known)) in batch.iter().zip(known).enumerate() {
        let place = known.is_none().then(|| places.next()).flatten();
        if known.is_none() && look_again {
            known = first_of(tx, new, now)?;
        }
        let put = match (known, place.and_then(|place| lanes.get_mut(place))) {
            (Some(known), _) => known,
            (None, Some(lane)) => lane.put(tx, new, now, insist, allowance, &mut rows)?,
            (None, None) => return Err(without_lane()),
        };
        match put {
            Ok(one) => {
                let is_claimed = one.state == DeliveryState::Sending && !one.replay;
                enqueued.push((one, place.filter(|_| is_claimed)));
            }
            Err(refusal) => return Ok(Err(Refused { index, refusal })),
        }
    }
    rows.write(tx, now)?;
    let claim = |((mut one, claimed), new): ((Enqueued, Option<usize>), NewDelivery)| {
        if let Some(Touched { addressed, .. }) = claimed.and_then(|place| lanes.get(place))
            && let Some(node) = addressed.lane.node
        {
            one.claimed = Some(Claimed::of_new(&addressed.lane, node, one.id, new, now));
        }
        one
    };
    let enqueued = enqueued.into_iter().zip(batch).map(claim).collect();
    let mut writes = LaneWrites::default();
    for lane in &lanes {
        lane.write_to(&mut writes);
    }
    writes.write(tx)?;
    Ok(Ok(enqueued))
}

fn without_lane() -> StoreError {
    StoreError::message("a new delivery has no lane: this is a defect, report it")
}

/// The delivery that is on record for the same key, if there is one.
fn first_of(
    tx: &Tx<'_>,
    new: &NewDelivery,
    now: Timestamp,
) -> Result<Option<std::result::Result<Enqueued, Refusal>>> {
    match &new.dedupe {
        Some(dedupe) => dedupe::first_of(tx, &new.tenant(), dedupe, now),
        None => Ok(None),
    }
}

/// A lane that something is owed to, and what is to be written of it.
struct Touched {
    addressed: AddressedLane,
    change: Change,
}

enum Change {
    Nothing,
    /// Only how much is owed.
    Backlog,
    /// Who has it as well, or from when it may be claimed.
    All,
}

impl From<AddressedLane> for Touched {
    fn from(addressed: AddressedLane) -> Self {
        let change = Change::Nothing;
        Touched { addressed, change }
    }
}

impl Touched {
    fn put<'a>(
        &mut self,
        tx: &Tx<'_>,
        new: &'a NewDelivery,
        now: Timestamp,
        insist: Insist,
        allowance: &mut Allowance<'_>,
        rows: &mut NewRows<'a>,
    ) -> Result<std::result::Result<Enqueued, Refusal>> {
        let Touched { addressed, change } = self;
        let lane = &addressed.lane;
        if let Some(bounds) = allowance.bounds()
            && !lane.closed
        {
            let lane_is_full = lane.backlog >= i64::from(bounds.lane);
            if lane_is_full && insist == Insist::No {
                return Ok(Err(Refusal::BacklogFull));
            }
            if !bounds.take(tx, &lane.tenant, now)? && insist == Insist::No {
                let tenant = lane.tenant.clone();
                return Ok(Err(Refusal::TenantFull { tenant }));
            }
        }
        let own_address = addressed.differs_from(tx, new)?;
        let lane = &mut addressed.lane;
        let due_at = new.not_before.filter(|at| *at > now && !lane.closed);
        let state = if lane.closed {
            DeliveryState::Refused
        } else if due_at.is_some() {
            DeliveryState::Scheduled
        } else {
            DeliveryState::Available
        };
        let idle = state == DeliveryState::Available && lane.node.is_none() && lane.next_at.is_none();
        let node = match allowance.claiming() {
            Some(claiming) if idle && lane.backlog == 0 => claim::may_send(tx, claiming, lane, now)?,
            _ => None,
        };
        let state = node.map_or(state, |_| DeliveryState::Sending);
        let id = rows.put(
            tx,
            NewRow {
                lane: lane.id,
                new,
                own_address,
                state,
                due_at,
            },
            now,
        )?;
        if let Some(dedupe) = &new.dedupe {
            dedupe::remember(tx, &new.tenant(), dedupe, id, now)?;
        }
        let enqueued = Enqueued {
            id,
            state,
            replay: false,
            claimed: None,
        };
        if state.is_final() {
            return Ok(Ok(enqueued));
        }
        lane.backlog += 1;
        match node {
            Some(node) => {
                allowance.spend();
                lane.epoch += 1;
                lane.node = Some(node);
                *change = Change::All;
            }
            // A lane without a wait of its own is looked at now. If it is paused, that is where its wait begins.
            None if idle => {
                allowance.leave();
                lane.next_at = Some(now.as_microsecond());
                *change = Change::All;
            }
            None => {
                if due_at.is_some() {
                    allowance.leave();
                }
                if matches!(change, Change::Nothing) {
                    *change = Change::Backlog;
                }
            }
        }
        Ok(Ok(enqueued))
    }

    fn write_to(&self, writes: &mut LaneWrites) {
        let lane = &self.addressed.lane;
        match (&self.change, lane.node) {
            (Change::Nothing, _) => {}
            (Change::Backlog, _) => writes.backlog(lane),
            (Change::All, Some(node)) => writes.hold(lane, node),
            (Change::All, None) => writes.release(lane, lane.next_at, None),
        }
    }
}
