//! Which conversations this process knows to be closed, so that it costs next to nothing to see that one is not.
//!
//! Whoever is spoken to in a closed conversation opens it again. Nearly all are open, and each turn asks. Where one
//! process has the database to itself, it remembers the closed ones and asks nobody; where others close conversations
//! too, or more are closed than are remembered, the ledger is asked, by its unique index.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidings_activity::{Activity, ActivityType, UpdateAction};
use tidings_store::{Database, StoreError};
use tokio::sync::OnceCell;

use crate::ledger;

/// How many closed conversations are remembered, in a megabyte or two.
const REMEMBERED: usize = 65_536;

/// The closed conversations, as far as this process knows them. It may take an open one for closed, never the reverse.
pub(crate) struct ClosedLanes {
    most: usize,
    /// Keyed at random: ids come from outside, and none may be made to look like another.
    fingerprints: RandomState,
    /// `None`: more are closed than are remembered.
    known: Mutex<Option<HashSet<u64>>>,
    read: OnceCell<()>,
}

impl Default for ClosedLanes {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl ClosedLanes {
    fn remembering(most: usize) -> Self {
        ClosedLanes {
            most,
            fingerprints: RandomState::new(),
            known: Mutex::new(Some(HashSet::new())),
            read: OnceCell::new(),
        }
    }

    /// This process is about to close it; to be called before that is committed.
    pub(crate) fn close(&self, channel_id: &str, conversation_id: &str) {
        let fingerprint = self.fingerprint(channel_id, conversation_id);
        let mut known = self.known();
        if let Some(closed) = &mut *known {
            closed.insert(fingerprint);
            if closed.len() > self.most {
                *known = None;
            }
        }
    }

    /// Opens the conversation if it is closed, because somebody speaks there, and says whether it was. `is_shared`:
    /// other processes close conversations too.
    ///
    /// # Errors
    /// The database refused; then it is as it was.
    pub(crate) async fn open(
        &self,
        db: &Database,
        is_shared: bool,
        channel_id: &str,
        conversation_id: &str,
    ) -> Result<bool, StoreError> {
        let remembered = !is_shared && self.are_known(db).await?;
        // Forgotten before it is opened: if it is closed again meanwhile, that is noted after this.
        let may_be_closed = !remembered || self.forget(channel_id, conversation_id);
        if !may_be_closed {
            return Ok(false);
        }
        let opened = open_on_record(db, remembered, channel_id, conversation_id).await;
        if remembered && opened.is_err() {
            self.close(channel_id, conversation_id);
        }
        opened
    }

    /// Whether all that are closed are remembered; reads them the first time.
    async fn are_known(&self, db: &Database) -> Result<bool, StoreError> {
        if !self.read.initialized() {
            Box::pin(self.read.get_or_try_init(|| self.load(db))).await?;
        }
        Ok(self.known().is_some())
    }

    async fn load(&self, db: &Database) -> Result<(), StoreError> {
        let most = self.most;
        let closed = db.read(move |tx| ledger::closed_lanes(tx, most + 1)).await?;
        for (channel_id, conversation_id) in closed {
            self.close(&channel_id, &conversation_id);
        }
        Ok(())
    }

    fn forget(&self, channel_id: &str, conversation_id: &str) -> bool {
        let fingerprint = self.fingerprint(channel_id, conversation_id);
        self.known()
            .as_mut()
            .is_none_or(|closed| !closed.is_empty() && closed.remove(&fingerprint))
    }

    fn fingerprint(&self, channel_id: &str, conversation_id: &str) -> u64 {
        self.fingerprints.hash_one((channel_id, conversation_id))
    }

    fn known(&self) -> MutexGuard<'_, Option<HashSet<u64>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn open_on_record(
    db: &Database,
    is_thought_closed: bool,
    channel_id: &str,
    conversation_id: &str,
) -> Result<bool, StoreError> {
    let (channel_id, conversation_id) = (channel_id.to_owned(), conversation_id.to_owned());
    if !is_thought_closed {
        let key = (channel_id.clone(), conversation_id.clone());
        let closed = db.read(move |tx| ledger::closed_lane(tx, &key.0, &key.1)).await?;
        if closed.is_none() {
            return Ok(false);
        }
    }
    db.write(
        move |tx| match ledger::closed_lane(tx, &channel_id, &conversation_id)? {
            Some(lane) => ledger::reopen(tx, lane).map(|()| true),
            None => Ok(false),
        },
    )
    .await
}

/// Whether an activity that arrives shows that the channel takes something in its conversation. All do, but those by
/// which the bot is shown out.
pub(crate) fn shows_that_it_is_open(activity: &Activity) -> bool {
    match activity.kind {
        ActivityType::EndOfConversation | ActivityType::DeleteUserData => false,
        ActivityType::InstallationUpdate | ActivityType::ContactRelationUpdate => !matches!(
            activity.action,
            Some(UpdateAction::Remove | UpdateAction::RemoveUpgrade)
        ),
        ActivityType::ConversationUpdate => {
            let bot = activity.recipient.as_ref().and_then(|bot| bot.id.as_deref());
            let mut removed = activity.members_removed.iter().flatten();
            bot.is_none() || removed.all(|member| member.id.as_deref() != bot)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
