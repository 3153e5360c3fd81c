//! The members of a conversation: its bot, and everybody who spoke in it.

use tidings_activity::ChannelAccount;
use tidings_store::{Row, StoreError, Tx, params};

/// Longest id and name of a user in characters.
pub(crate) const NAME_CHARACTERS: usize = 256;

/// One member and its place in the order of joining.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) number: i64,
    pub(crate) account: ChannelAccount,
}

/// Adds a member unless present. True if it is new; an account without an id is nobody.
pub(crate) fn join(tx: &Tx<'_>, conversation: i64, account: &ChannelAccount) -> Result<bool, StoreError> {
    let Some(id) = account.id.as_deref() else {
        return Ok(false);
    };
    let json = serde_json::to_string(account).unwrap_or_default();
    let added = tx.execute(
        "INSERT INTO directline_members (conversation, id, account) VALUES (?1, ?2, ?3)
         ON CONFLICT (conversation, id) DO NOTHING",
        params![conversation, id, json],
    )?;
    Ok(added == 1)
}

/// How many members there are.
pub(crate) fn count(tx: &Tx<'_>, conversation: i64) -> Result<u64, StoreError> {
    let count: Option<i64> = tx.first(
        "SELECT count(*) FROM directline_members WHERE conversation = ?1",
        params![conversation],
        |row| row.get(0),
    )?;
    Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
}

/// Whether this account is a member.
pub(crate) fn is_member(tx: &Tx<'_>, conversation: i64, id: &str) -> Result<bool, StoreError> {
    Ok(find(tx, conversation, id)?.is_some())
}

/// One member.
pub(crate) fn find(tx: &Tx<'_>, conversation: i64, id: &str) -> Result<Option<Member>, StoreError> {
    tx.first(
        "SELECT number, id, account FROM directline_members WHERE conversation = ?1 AND id = ?2",
        params![conversation, id],
        from_row,
    )
}

/// Removes a member. True if it was there.
pub(crate) fn leave(tx: &Tx<'_>, conversation: i64, id: &str) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM directline_members WHERE conversation = ?1 AND id = ?2",
        params![conversation, id],
    )?;
    Ok(removed == 1)
}

/// Members in the order of joining, after the one with the number `after`.
pub(crate) fn page(
    tx: &Tx<'_>,
    conversation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<Member>, StoreError> {
    tx.all(
        "SELECT number, id, account FROM directline_members
         WHERE conversation = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        params![conversation, after, i64::try_from(limit).unwrap_or(i64::MAX)],
        from_row,
    )
}

fn from_row(row: &Row<'_>) -> Result<Member, StoreError> {
    let account = serde_json::from_str(row.text(2)?).or_else(|_| {
        Ok::<_, StoreError>(ChannelAccount {
            id: Some(row.get(1)?),
            ..ChannelAccount::default()
        })
    })?;
    Ok(Member {
        number: row.get(0)?,
        account,
    })
}
