//! What other nodes have done to the keys of a database that they share.

use std::collections::HashMap;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use tidings_store::{StoreError, StoreErrorKind};
use tokio::sync::MutexGuard;

use super::table::{self, Version};
use super::{Inner, Known, Stored};

/// Looks for news again and again, as long as the keys are in use.
pub(super) async fn look(keys: Weak<Inner>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(keys) = keys.upgrade() else { return };
        match keys.look_once().await {
            Err(error) if error.kind() == StoreErrorKind::Closed => return,
            Err(error) => tracing::warn!(
                error = %error,
                "it could not be read which API keys other nodes have made or revoked; the next look tries again"
            ),
            Ok(()) => {}
        }
    }
}

impl Inner {
    async fn look_once(&self) -> Result<(), StoreError> {
        let mut read = self.change.lock().await;
        // A key's last use is no news: it is read when somebody asks for the list.
        if self.database.read(table::version).await? != *read {
            self.read_all(&mut read).await?;
        }
        Ok(())
    }

    /// Everything as it is on record now, and nobody changes it from here while the guard is held.
    pub(super) async fn up_to_date(&self) -> Result<MutexGuard<'_, Version>, StoreError> {
        let mut read = self.change.lock().await;
        if self.database.is_multi_node() {
            self.read_all(&mut read).await?;
        }
        Ok(read)
    }

    async fn read_all(&self, read: &mut Version) -> Result<(), StoreError> {
        let (version, stored) = self
            .database
            .read(|tx| Ok((table::version(tx)?, table::all(tx)?)))
            .await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        *known = stored
            .into_iter()
            .map(|stored| renewed(&mut before, stored))
            .collect();
        *read = version;
        // A key that gave its place to another opens nothing any more.
        for gone in before.into_values() {
            gone.revoked.cancel();
        }
        Ok(())
    }
}

/// The key as it is on record, with what hangs on it in this process.
fn renewed(before: &mut HashMap<String, Known>, stored: Stored) -> (String, Known) {
    let id = stored.key.id.clone();
    let Some(mut known) = before.remove(&id) else {
        return (id, Known::new(stored));
    };
    if stored.key.revoked_at.is_some() {
        known.revoked.cancel();
    }
    let last_used_at = known.stored.key.last_used_at.max(stored.key.last_used_at);
    known.stored = stored;
    known.stored.key.last_used_at = last_used_at;
    (id, known)
}
