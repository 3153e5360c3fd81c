//! What a node does about the inbox beside its turns where it shares the database: it renews its hold on what it
//! acknowledged, takes up what others hold no longer, and prunes.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tidings_store::{StoreError, StoreErrorKind, Tx};

use super::shared::{self, Hold, Sharing};
use super::tables::{Acknowledged, ToAcknowledge};
use super::{Inbox, Known, known};
use crate::activity_key::ActivityKey;
use crate::error::Result;
use crate::inbound::TurnResponse;

/// How many turns are committed between two prunings.
const PRUNE_AFTER: usize = 1024;

/// As which part of the largest sum of bodies: a pruning comes that often too.
const PRUNE_BODIES: usize = 8;

/// What a database is spared, however short a hold is.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(10);

/// How many bits of a number are chance, so that two nodes do not choose the same one.
const CHANCE_BITS: u32 = 10;

/// What a node keeps to itself.
pub(super) struct Custody {
    holder: Arc<str>,
    take_over_after: Duration,
    last_number: AtomicI64,
    is_renewing: AtomicBool,
    is_looking: AtomicBool,
    is_released: AtomicBool,
    turns_since_pruning: AtomicUsize,
    bytes_since_pruning: AtomicUsize,
}

impl Custody {
    pub(super) fn new(take_over_after: Duration, chance: u64) -> Self {
        Self {
            holder: format!("{chance:016x}").into(),
            take_over_after,
            last_number: AtomicI64::new(0),
            is_renewing: AtomicBool::new(false),
            is_looking: AtomicBool::new(false),
            is_released: AtomicBool::new(false),
            turns_since_pruning: AtomicUsize::new(0),
            bytes_since_pruning: AtomicUsize::new(0),
        }
    }

    pub(super) fn holder(&self) -> Arc<str> {
        Arc::clone(&self.holder)
    }
}

impl Inbox {
    /// Whether somebody is to begin to look for what others hold no longer: nobody does yet.
    pub(crate) fn starts_looking(&self) -> bool {
        self.is_shared() && !self.custody.is_looking.swap(true, Ordering::Relaxed)
    }

    /// How often to look for what others hold no longer.
    pub(crate) fn look_every(&self) -> Duration {
        (self.custody.take_over_after / 3).max(LOOK_AT_MOST_EVERY)
    }

    pub(super) async fn find_shared(&self, key: &ActivityKey, or_acknowledged: bool) -> Result<Known> {
        let (wanted, forgotten_before_ms) = (key.clone(), self.forgotten_before_ms(self.now_ms()));
        let found = self
            .database
            .read(move |tx| shared::find(tx, &wanted, forgotten_before_ms))
            .await?;
        let is_acknowledged = or_acknowledged && found.is_acknowledged;
        match found.turn {
            Some(answer) if answer.status.is_some() || !is_acknowledged => known(0, answer),
            _ if is_acknowledged => Ok(Known::Answered(TurnResponse::accepted())),
            _ => Ok(Known::No),
        }
    }

    /// Rises with each call, and with the time, so that what arrived at a node is taken up in that order.
    pub(super) fn shared_number(&self) -> i64 {
        let micros = self.clock.now().as_microsecond();
        let chance = self.fingerprints.hash_one(micros) & ((1 << CHANCE_BITS) - 1);
        let chance = i64::try_from(chance).unwrap_or_default();
        let wanted = (micros << CHANCE_BITS) | chance;
        let last = &self.custody.last_number;
        let previous = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(wanted.max(last + 1))
        });
        wanted.max(previous.unwrap_or_default() + 1)
    }

    pub(super) fn sharing(&self, now_ms: i64) -> Option<Sharing> {
        self.is_shared().then(|| Sharing {
            holder: self.custody.holder(),
            forgotten_before_ms: self.forgotten_before_ms(now_ms),
            may_yield: false,
        })
    }

    pub(super) async fn acknowledge_shared(self: &Arc<Self>, row: ToAcknowledge) -> Result<bool, StoreError> {
        let hold = self.hold();
        let stored = self
            .database
            .write_repeatable(move |tx| shared::acknowledge(tx, &row, &hold))
            .await?;
        self.keep_hold();
        Ok(stored)
    }

    pub(super) async fn take_up(self: &Arc<Self>) -> Result<Vec<Acknowledged>, StoreError> {
        let mut all = Vec::new();
        loop {
            let (hold, now_ms) = (self.hold(), self.now_ms());
            let rows = self
                .database
                .write_repeatable(move |tx| shared::take_up(tx, now_ms, &hold))
                .await?;
            let is_last = (rows.len() as i64) < shared::TAKEN_UP_AT_ONCE;
            all.extend(rows);
            if is_last {
                break;
            }
        }
        if !all.is_empty() {
            self.keep_hold();
        }
        Ok(all)
    }

    /// Others may take up at once what this node has not finished.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        self.custody.is_released.store(true, Ordering::Relaxed);
        let nothing = Hold {
            until_ms: 0,
            ..self.hold()
        };
        self.database
            .write_repeatable(move |tx| shared::hold(tx, &nothing))
            .await
    }

    fn hold(&self) -> Hold {
        let lease_ms = i64::try_from(self.custody.take_over_after.as_millis()).unwrap_or(i64::MAX);
        Hold {
            holder: self.custody.holder(),
            until_ms: self.now_ms().saturating_add(lease_ms),
        }
    }

    /// From now on the hold is renewed, as long as this inbox lives.
    fn keep_hold(self: &Arc<Self>) {
        if !self.custody.is_renewing.swap(true, Ordering::Relaxed) {
            tokio::spawn(renew(Arc::downgrade(self), self.look_every()));
        }
    }

    async fn renew_once(&self) -> Result<(), StoreError> {
        if self.custody.is_released.load(Ordering::Relaxed) {
            return Ok(());
        }
        let hold = self.hold();
        self.database
            .write_repeatable(move |tx| shared::hold(tx, &hold))
            .await
    }

    pub(super) fn count_for_pruning(&self, body_len: usize) {
        let (turns, bytes) = (
            &self.custody.turns_since_pruning,
            &self.custody.bytes_since_pruning,
        );
        let is_due = turns.fetch_add(1, Ordering::Relaxed) + 1 >= PRUNE_AFTER
            || bytes.fetch_add(body_len, Ordering::Relaxed) + body_len
                > (self.limits.body_bytes / PRUNE_BODIES).max(1);
        if is_due {
            turns.store(0, Ordering::Relaxed);
            bytes.store(0, Ordering::Relaxed);
            self.prune_aside();
        }
    }

    /// Prunes on a task of its own: no turn waits for it.
    pub(super) fn prune_aside(&self) {
        let database = self.database.clone();
        let forgotten_before_ms = self.forgotten_before_ms(self.now_ms());
        let activities = i64::try_from(self.limits.activities).unwrap_or(i64::MAX);
        let body_bytes = i64::try_from(self.limits.body_bytes).unwrap_or(i64::MAX);
        let prune = move |tx: &Tx<'_>| shared::prune(tx, forgotten_before_ms, activities, body_bytes);
        tokio::spawn(async move {
            if let Err(error) = database.write_repeatable(prune).await {
                tracing::warn!(error = %error, "old rows of the inbox could not be deleted; the next pruning tries again");
            }
        });
    }

    /// What was committed at this time or before is forgotten.
    fn forgotten_before_ms(&self, now_ms: i64) -> i64 {
        if self.limits.activities == 0 {
            return i64::MAX;
        }
        let age_ms = i64::try_from(self.limits.age.as_millis()).unwrap_or(i64::MAX);
        now_ms.saturating_sub(age_ms)
    }
}

async fn renew(inbox: Weak<Inbox>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(inbox) = inbox.upgrade() else { return };
        match inbox.renew_once().await {
            Err(error) if error.kind() == StoreErrorKind::Closed => return,
            Err(error) => tracing::warn!(
                error = %error,
                "the hold on acknowledged turns could not be renewed; another node may take them up"
            ),
            Ok(()) => {}
        }
    }
}
