//! Files that users and the bot uploaded, kept for a day.

use bytes::Bytes;
use tidings_store::{StoreError, Tx, params};

/// A file on its way in.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) original: Bytes,
    pub(crate) thumbnail: Option<Bytes>,
}

/// What is known of a kept file.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) original_size: i64,
    pub(crate) thumbnail_size: Option<i64>,
}

/// One view of a kept file.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

/// Keeps files until `expires_at`, after dropping expired ones. False, and nothing kept, if they do not fit
/// any more.
pub(crate) fn keep(
    tx: &Tx<'_>,
    conversation: i64,
    uploads: &[Upload],
    now: i64,
    expires_at: i64,
    most_bytes: u64,
) -> Result<bool, StoreError> {
    tx.execute(
        "DELETE FROM directline_attachments WHERE expires_at <= ?1",
        params![now],
    )?;
    // PostgreSQL's sum of whole numbers is a decimal.
    let kept: Option<i64> = tx.first(
        "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM directline_attachments",
        &[],
        |row| row.get(0),
    )?;
    let fresh: usize = uploads.iter().map(Upload::size).sum();
    let kept = kept.and_then(|kept| u64::try_from(kept).ok()).unwrap_or(0);
    if kept.saturating_add(fresh as u64) > most_bytes {
        return Ok(false);
    }
    for upload in uploads {
        tx.execute(
            "INSERT INTO directline_attachments
                (id, conversation, name, content_type, original, thumbnail, size, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                upload.id,
                conversation,
                upload.name,
                upload.content_type,
                &*upload.original,
                upload.thumbnail.as_deref(),
                i64::try_from(upload.size()).unwrap_or(i64::MAX),
                expires_at,
            ],
        )?;
    }
    Ok(true)
}

/// What is known of a file that has not expired.
pub(crate) fn info(tx: &Tx<'_>, id: &str, now: i64) -> Result<Option<Info>, StoreError> {
    tx.first(
        "SELECT name, content_type, CAST(length(original) AS BIGINT), CAST(length(thumbnail) AS BIGINT)
         FROM directline_attachments WHERE id = ?1 AND expires_at > ?2",
        params![id, now],
        |row| {
            Ok(Info {
                name: row.get(0)?,
                content_type: row.get(1)?,
                original_size: row.get(2)?,
                thumbnail_size: row.get(3)?,
            })
        },
    )
}

/// The bytes of a view, `original` or `thumbnail`.
pub(crate) fn view(tx: &Tx<'_>, id: &str, view: &str, now: i64) -> Result<Option<View>, StoreError> {
    let sql = match view {
        "original" => {
            "SELECT name, content_type, original FROM directline_attachments WHERE id = ?1 AND expires_at > ?2"
        }
        "thumbnail" => {
            "SELECT name, content_type, thumbnail FROM directline_attachments
             WHERE id = ?1 AND expires_at > ?2 AND thumbnail IS NOT NULL"
        }
        _ => return Ok(None),
    };
    tx.first(sql, params![id, now], |row| {
        Ok(View {
            name: row.get(0)?,
            content_type: row.get(1)?,
            bytes: row.get(2)?,
        })
    })
}

impl Upload {
    fn size(&self) -> usize {
        self.original.len() + self.thumbnail.as_ref().map_or(0, Bytes::len)
    }
}
