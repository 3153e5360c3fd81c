//! How much may be owed: to one conversation, and to all conversations of one tenant.
//!
//! A conversation's row says how many of its deliveries are open. A tenant has no row of its own, because every send
//! would lock it. Its open deliveries are counted once, and what this process puts on record from then on is taken off
//! what was free; only when that is used up are they counted again, and at most once a second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{StoreError, Tx};

use crate::ledger;

/// How long a tenant that was full is taken for full without counting again.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Of how many tenants something is remembered at least; when there are more, all are counted anew.
const REMEMBERED: usize = 100_000;

/// What a process knows of the room that is left.
pub(crate) struct BacklogBounds {
    pub(crate) lane: u32,
    tenant: u64,
    /// Other processes put deliveries on record too.
    is_shared: bool,
    /// `None`: not counted yet.
    known: Mutex<Option<Known>>,
}

struct Known {
    rooms: HashMap<String, Room>,
    /// Of a tenant that was owed nothing when all were counted.
    empty: Room,
    most: usize,
}

/// What a tenant may still be owed through this process.
#[derive(Clone, Copy)]
struct Room {
    left: u64,
    counted_at: Timestamp,
}

impl BacklogBounds {
    pub(crate) fn new(lane: u32, tenant: u32, is_shared: bool) -> Self {
        BacklogBounds {
            lane,
            tenant: u64::from(tenant),
            is_shared,
            known: Mutex::new(None),
        }
    }

    /// Takes the place of one delivery, if there is one. What is taken in a transaction that is undone comes back when
    /// the tenant is counted the next time.
    ///
    /// # Errors
    /// The database's.
    pub(crate) fn take(&self, tx: &Tx<'_>, tenant: &str, now: Timestamp) -> Result<bool, StoreError> {
        // The database is at work outside of the lock only.
        if self
            .known()
            .as_ref()
            .is_none_or(|known| known.is_full_for(tenant))
        {
            let counted = self.count_all(tx, now)?;
            *self.known() = Some(counted);
        }
        if let Some(taken) = self.known().as_mut().and_then(|known| known.take(tenant, now)) {
            return Ok(taken);
        }
        let owed = ledger::owed_to_tenant(tx, tenant)?;
        let mut counted = Room {
            left: self.share(owed, self.nodes(tx)?),
            counted_at: now,
        };
        let taken = counted.take();
        if let Some(known) = &mut *self.known() {
            known.rooms.insert(tenant.to_owned(), counted);
        }
        Ok(taken)
    }

    fn count_all(&self, tx: &Tx<'_>, now: Timestamp) -> Result<Known, StoreError> {
        let nodes = self.nodes(tx)?;
        let room = |owed| Room {
            left: self.share(owed, nodes),
            counted_at: now,
        };
        let owed = ledger::owed_to_tenants(tx)?.into_iter();
        let rooms: HashMap<String, Room> = owed.map(|(tenant, owed)| (tenant, room(owed))).collect();
        Ok(Known {
            empty: room(0),
            most: REMEMBERED.max(2 * rooms.len()),
            rooms,
        })
    }

    /// How many processes put deliveries on record.
    fn nodes(&self, tx: &Tx<'_>) -> Result<u64, StoreError> {
        match self.is_shared {
            true => Ok(ledger::count_nodes(tx)?.max(1)),
            false => Ok(1),
        }
    }

    /// What this process may put on record of what is free: as much as each of the others.
    fn share(&self, owed: u64, nodes: u64) -> u64 {
        self.tenant.saturating_sub(owed).div_ceil(nodes)
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_full_for(&self, tenant: &str) -> bool {
        self.rooms.len() >= self.most && !self.rooms.contains_key(tenant)
    }

    /// `None`: it has to be counted first.
    fn take(&mut self, tenant: &str, now: Timestamp) -> Option<bool> {
        if !self.rooms.contains_key(tenant) {
            self.rooms.insert(tenant.to_owned(), self.empty);
        }
        let room = self.rooms.get_mut(tenant)?;
        if room.take() {
            return Some(true);
        }
        let since = now.duration_since(room.counted_at);
        // Counted again also if the clock was set back.
        let is_fresh = !since.is_negative() && since.unsigned_abs() < COUNT_EVERY;
        is_fresh.then_some(false)
    }
}

impl Room {
    fn take(&mut self) -> bool {
        let has_room = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_room
    }
}
