//! Conversations as rows.

use rand::Rng as _;
use tidings_activity::{ChannelAccount, ConversationAccount};
use tidings_store::{Dialect, Row, StoreError, Tx, params};

use crate::history::STEP;

/// A started conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) number: i64,
    pub(crate) id: String,
    /// The user it was started for, if the token or the request named one.
    pub(crate) user: Option<ChannelAccount>,
    pub(crate) locale: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) last_position: i64,
}

impl Conversation {
    /// Starts the conversation, or finds it started; a user learned later is kept. True if it is new.
    pub(crate) fn start(
        tx: &Tx<'_>,
        id: &str,
        user: Option<&ChannelAccount>,
        locale: Option<&str>,
        now: i64,
    ) -> Result<(Self, bool), StoreError> {
        let user_id = user.and_then(|user| user.id.as_deref());
        let user_name = user.and_then(|user| user.name.as_deref());
        let new = tx.execute(
            "INSERT INTO directline_conversations (id, user_id, user_name, locale, started_at, last_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
            params![id, user_id, user_name, locale, now, now - STEP],
        )? == 1;
        if !new && user_id.is_some() {
            tx.execute(
                "UPDATE directline_conversations SET user_id = ?2, user_name = ?3 WHERE id = ?1 AND user_id IS NULL",
                params![id, user_id, user_name],
            )?;
        }
        let found = Self::find(tx, id)?
            .ok_or_else(|| StoreError::message("a conversation is gone in the moment it was started"))?;
        Ok((found, new))
    }

    /// The conversation with this id.
    pub(crate) fn find(tx: &Tx<'_>, id: &str) -> Result<Option<Self>, StoreError> {
        tx.first(
            "SELECT number, id, user_id, user_name, locale, started_at, last_position
             FROM directline_conversations WHERE id = ?1",
            params![id],
            Self::from_row,
        )
    }

    /// Conversations after the one with the number `after`, oldest first.
    pub(crate) fn page(tx: &Tx<'_>, after: i64, limit: usize) -> Result<Vec<Self>, StoreError> {
        tx.all(
            "SELECT number, id, user_id, user_name, locale, started_at, last_position
             FROM directline_conversations WHERE number > ?1 ORDER BY number LIMIT ?2",
            params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
            Self::from_row,
        )
    }

    /// Keeps every other node out of the conversation until the transaction ends, so that what was read of it
    /// is still so when it is written. Where one process has the database, nobody else is there.
    pub(crate) fn lock(tx: &Tx<'_>, number: i64) -> Result<(), StoreError> {
        match tx.dialect() {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => tx
                .exists(
                    "SELECT number FROM directline_conversations WHERE number = ?1 FOR UPDATE",
                    params![number],
                )
                .map(drop),
        }
    }

    /// As activities name it.
    pub(crate) fn account(&self) -> ConversationAccount {
        ConversationAccount {
            id: Some(self.id.clone()),
            ..ConversationAccount::default()
        }
    }

    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let user_id: Option<String> = row.get(2)?;
        let name = row.get(3)?;
        Ok(Self {
            number: row.get(0)?,
            id: row.get(1)?,
            user: user_id.map(|id| ChannelAccount {
                id: Some(id),
                name,
                ..ChannelAccount::default()
            }),
            locale: row.get(4)?,
            started_at: row.get(5)?,
            last_position: row.get(6)?,
        })
    }
}

/// The key tokens are signed with: made once, by whichever node is first, then kept.
pub(crate) fn signing_key(tx: &Tx<'_>) -> Result<Vec<u8>, StoreError> {
    let mut fresh = [0_u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    tx.execute(
        "INSERT INTO directline_key (id, signing_key) VALUES (1, ?1) ON CONFLICT (id) DO NOTHING",
        params![fresh],
    )?;
    tx.first(
        "SELECT signing_key FROM directline_key WHERE id = 1",
        &[],
        |row| row.get(0),
    )?
    .ok_or_else(|| StoreError::message("the key that signs tokens was not kept"))
}
