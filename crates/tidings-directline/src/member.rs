//! The members of a conversation: its bot, and everybody who spoke in it.

use tidings_activity::ChannelAccount;
use tidings_store::StoreError;
use tidings_store::rusqlite::{Connection, OptionalExtension as _, Row};

/// Longest id and name of a user in characters.
pub(crate) const NAME_CHARACTERS: usize = 256;

/// One member and its place in the order of joining.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) number: i64,
    pub(crate) account: ChannelAccount,
}

/// Adds a member unless present. True if it is new; an account without an id is nobody.
pub(crate) fn join(
    connection: &Connection,
    conversation: i64,
    account: &ChannelAccount,
) -> Result<bool, StoreError> {
    let Some(id) = account.id.as_deref() else {
        return Ok(false);
    };
    let json = serde_json::to_string(account).unwrap_or_default();
    let added = connection
        .prepare_cached(
            "INSERT INTO directline_members (conversation, id, account) VALUES (?1, ?2, ?3)
             ON CONFLICT (conversation, id) DO NOTHING",
        )?
        .execute((conversation, id, json))?;
    Ok(added == 1)
}

/// How many members there are.
pub(crate) fn count(connection: &Connection, conversation: i64) -> Result<u64, StoreError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM directline_members WHERE conversation = ?1")?
        .query_row([conversation], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Whether this account is a member.
pub(crate) fn is_member(connection: &Connection, conversation: i64, id: &str) -> Result<bool, StoreError> {
    Ok(find(connection, conversation, id)?.is_some())
}

/// One member.
pub(crate) fn find(
    connection: &Connection,
    conversation: i64,
    id: &str,
) -> Result<Option<Member>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT number, id, account FROM directline_members WHERE conversation = ?1 AND id = ?2",
        )?
        .query_row((conversation, id), from_row)
        .optional()?)
}

/// Removes a member. True if it was there.
pub(crate) fn leave(connection: &Connection, conversation: i64, id: &str) -> Result<bool, StoreError> {
    let removed = connection
        .prepare_cached("DELETE FROM directline_members WHERE conversation = ?1 AND id = ?2")?
        .execute((conversation, id))?;
    Ok(removed == 1)
}

/// Members in the order of joining, after the one with the number `after`.
pub(crate) fn page(
    connection: &Connection,
    conversation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<Member>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, id, account FROM directline_members
         WHERE conversation = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let rows = statement.query_map(
        (conversation, after, i64::try_from(limit).unwrap_or(i64::MAX)),
        from_row,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> tidings_store::rusqlite::Result<Member> {
    let id: String = row.get(1)?;
    let json: String = row.get(2)?;
    let account = serde_json::from_str(&json).unwrap_or_else(|_| ChannelAccount {
        id: Some(id),
        ..ChannelAccount::default()
    });
    Ok(Member {
        number: row.get(0)?,
        account,
    })
}
