//! Conversations as rows.

use rand::Rng as _;
use tidings_activity::{ChannelAccount, ConversationAccount};
use tidings_store::StoreError;
use tidings_store::rusqlite::{Connection, OptionalExtension as _, Row};

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

const COLUMNS: &str = "number, id, user_id, user_name, locale, started_at, last_position";

impl Conversation {
    /// Starts the conversation, or finds it started; a user learned later is kept. True if it is new.
    pub(crate) fn start(
        connection: &Connection,
        id: &str,
        user: Option<&ChannelAccount>,
        locale: Option<&str>,
        now: i64,
    ) -> Result<(Self, bool), StoreError> {
        let user_id = user.and_then(|user| user.id.as_deref());
        let user_name = user.and_then(|user| user.name.as_deref());
        let new = connection
            .prepare_cached(
                "INSERT INTO directline_conversations (id, user_id, user_name, locale, started_at, last_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5 - 1000) ON CONFLICT (id) DO NOTHING",
            )?
            .execute((id, user_id, user_name, locale, now))?
            == 1;
        if !new && user_id.is_some() {
            connection
                .prepare_cached(
                    "UPDATE directline_conversations SET user_id = ?2, user_name = ?3 WHERE id = ?1 AND user_id IS NULL",
                )?
                .execute((id, user_id, user_name))?;
        }
        let found = Self::find(connection, id)?.ok_or(tidings_store::rusqlite::Error::QueryReturnedNoRows)?;
        Ok((found, new))
    }

    /// The conversation with this id.
    pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<Self>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM directline_conversations WHERE id = ?1");
        Ok(connection
            .prepare_cached(&sql)?
            .query_row([id], Self::from_row)
            .optional()?)
    }

    /// Conversations after the one with the number `after`, oldest first.
    pub(crate) fn page(connection: &Connection, after: i64, limit: usize) -> Result<Vec<Self>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM directline_conversations WHERE number > ?1 ORDER BY number LIMIT ?2"
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map((after, i64::try_from(limit).unwrap_or(i64::MAX)), Self::from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// As activities name it.
    pub(crate) fn account(&self) -> ConversationAccount {
        ConversationAccount {
            id: Some(self.id.clone()),
            ..ConversationAccount::default()
        }
    }

    fn from_row(row: &Row<'_>) -> tidings_store::rusqlite::Result<Self> {
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

/// The key tokens are signed with: made once, then kept.
pub(crate) fn signing_key(connection: &Connection) -> Result<Vec<u8>, StoreError> {
    let mut fresh = [0_u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    connection
        .prepare_cached(
            "INSERT INTO directline_key (id, signing_key) VALUES (1, ?1) ON CONFLICT (id) DO NOTHING",
        )?
        .execute([fresh.as_slice()])?;
    Ok(
        connection.query_row("SELECT signing_key FROM directline_key WHERE id = 1", [], |row| {
            row.get(0)
        })?,
    )
}
