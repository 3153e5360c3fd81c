//! The history of a conversation: activities in the order of their positions.
//!
//! An activity's number is in its id and never changes. Its position starts as its number; an update or a
//! deletion moves the row to the next free position, so a client that reads "everything after my watermark"
//! gets each activity once, as it is now, and once more when it changed since. Positions are assigned in the
//! writer's transaction, which holds the conversation's row until it ends, so no reader ever sees a later one
//! before an earlier one, whichever node wrote it.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tidings_activity::{Activity, ActivityType};
use tidings_store::{StoreError, Tx, params};

use crate::conversation::Conversation;
use crate::identifier::activity_id;
use crate::options::Limits;

/// One millisecond: activities of one conversation are at least this far apart, since Web Chat sorts by
/// `timestamp`.
pub(crate) const STEP: i64 = 1_000;

/// Most bytes of one page, however few activities that is (but at least one).
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Where an activity was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: String,
    pub(crate) position: i64,
}

/// Activities strictly after a watermark, as JSON texts, and the watermark that leads on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) activities: Vec<String>,
    pub(crate) watermark: i64,
    /// Whether more had been kept than fitted.
    pub(crate) more: bool,
}

/// Direct Line's activity set: `{"activities":[...],"watermark":"12"}`.
pub(crate) fn activity_set(activities: &[String], watermark: Option<i64>) -> String {
    let mut json = String::with_capacity(
        activities
            .iter()
            .map(|activity| activity.len() + 1)
            .sum::<usize>()
            + 48,
    );
    json.push_str(r#"{"activities":["#);
    for (index, activity) in activities.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(activity);
    }
    json.push(']');
    if let Some(watermark) = watermark {
        json.push_str(&format!(r#","watermark":"{watermark}""#));
    }
    json.push('}');
    json
}

/// One conversation's history, inside a transaction or a read.
pub(crate) struct History<'t> {
    tx: &'t Tx<'t>,
    conversation: i64,
    id: &'t str,
}

impl<'t> History<'t> {
    pub(crate) fn new(tx: &'t Tx<'t>, conversation: i64, id: &'t str) -> Self {
        Self { tx, conversation, id }
    }

    /// As [`new`](Self::new), with every other node kept out until the transaction ends.
    pub(crate) fn locked(tx: &'t Tx<'t>, conversation: i64, id: &'t str) -> Result<Self, StoreError> {
        Conversation::lock(tx, conversation)?;
        Ok(Self::new(tx, conversation, id))
    }

    /// Appends an activity: gives it its id and, unless it brings one (`keep_time`), its timestamp, and
    /// forgets what is too old.
    pub(crate) fn append(
        &self,
        activity: &mut Activity,
        from_bot: bool,
        delivery: Option<&str>,
        keep_time: bool,
        limits: &Limits,
        now: i64,
    ) -> Result<Place, StoreError> {
        let (position, at) = self.advance(now)?;
        let id = activity_id(self.id, position);
        activity.id = Some(id.clone());
        if !keep_time || activity.timestamp.is_none() {
            activity.timestamp = Some(timestamp(at));
        }
        self.tx.execute(
            "INSERT INTO directline_activities (conversation, number, position, at, from_bot, delivery, body)
             VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.conversation,
                position,
                at,
                from_bot,
                delivery,
                json(activity)?
            ],
        )?;
        self.forget_old(position, limits, now)?;
        Ok(Place { id, position })
    }

    /// The activity that a delivery with this id has already made.
    pub(crate) fn delivered(&self, delivery: &str) -> Result<Option<Place>, StoreError> {
        self.tx.first(
            "SELECT number, position FROM directline_activities WHERE conversation = ?1 AND delivery = ?2",
            params![self.conversation, delivery],
            |row| {
                Ok(Place {
                    id: activity_id(self.id, row.get(0)?),
                    position: row.get(1)?,
                })
            },
        )
    }

    /// Whether an activity exists and is not deleted, and if so, whether the bot sent it.
    pub(crate) fn is_from_bot(&self, number: i64) -> Result<Option<bool>, StoreError> {
        self.tx.first(
            "SELECT from_bot FROM directline_activities WHERE conversation = ?1 AND number = ?2 AND NOT deleted",
            params![self.conversation, number],
            |row| row.get(0),
        )
    }

    /// Puts a changed activity in the place of an existing one. It keeps its id and timestamp, so that Web
    /// Chat shows it where the old one stood; `None` if there is none.
    pub(crate) fn update(
        &self,
        number: i64,
        activity: &mut Activity,
        now: i64,
    ) -> Result<Option<Place>, StoreError> {
        self.replace(number, activity, false, now)
    }

    /// Deletes an activity: what remains is a message with its id and nothing in it, which Web Chat does not
    /// show. It reaches only clients that may have seen the activity.
    pub(crate) fn delete(
        &self,
        number: i64,
        template: Activity,
        now: i64,
    ) -> Result<Option<Place>, StoreError> {
        let mut empty = Activity {
            kind: ActivityType::Message,
            ..template
        };
        self.replace(number, &mut empty, true, now)
    }

    /// Activities after the watermark; `None` is the start, and one beyond the end is the end.
    pub(crate) fn page(&self, watermark: Option<i64>, limit: usize) -> Result<Page, StoreError> {
        let last: Option<i64> = self.tx.first(
            "SELECT last_position FROM directline_conversations WHERE number = ?1",
            params![self.conversation],
            |row| row.get(0),
        )?;
        let after = watermark.unwrap_or(0).min(last.unwrap_or(0));
        let fetch = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let mut page = Page {
            watermark: after,
            ..Page::default()
        };
        let mut bytes = 0;
        self.tx.visit(
            "SELECT position, body FROM directline_activities
             WHERE conversation = ?1 AND position > ?2 AND NOT (deleted AND number > ?2)
             ORDER BY position LIMIT ?3",
            params![self.conversation, after, fetch],
            |row| {
                let body = row.text(1)?;
                bytes += body.len();
                if page.activities.len() == limit || (bytes > PAGE_BYTES && !page.activities.is_empty()) {
                    page.more = true;
                    return Ok(ControlFlow::Break(()));
                }
                page.watermark = row.get(0)?;
                page.activities.push(body.to_owned());
                Ok(ControlFlow::Continue(()))
            },
        )?;
        Ok(page)
    }

    /// Every kept activity that is not deleted, in the order of numbers.
    pub(crate) fn all(&self) -> Result<Vec<Activity>, StoreError> {
        self.tx.all(
            "SELECT body FROM directline_activities WHERE conversation = ?1 AND NOT deleted ORDER BY number",
            params![self.conversation],
            |row| serde_json::from_str(row.text(0)?).map_err(StoreError::other),
        )
    }

    /// Takes the next position, and a time later than that of the activity before.
    fn advance(&self, now: i64) -> Result<(i64, i64), StoreError> {
        self.tx
            .first(
                "UPDATE directline_conversations SET last_position = last_position + 1,
                     last_at = CASE WHEN last_at + ?3 > ?2 THEN last_at + ?3 ELSE ?2 END
                 WHERE number = ?1 RETURNING last_position, last_at",
                params![self.conversation, now, STEP],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .ok_or_else(|| StoreError::message("a conversation that is spoken in is gone"))
    }

    fn replace(
        &self,
        number: i64,
        activity: &mut Activity,
        deleted: bool,
        now: i64,
    ) -> Result<Option<Place>, StoreError> {
        let at: Option<i64> = self.tx.first(
            "SELECT at FROM directline_activities WHERE conversation = ?1 AND number = ?2 AND NOT deleted",
            params![self.conversation, number],
            |row| row.get(0),
        )?;
        let Some(at) = at else { return Ok(None) };
        let (position, _) = self.advance(now)?;
        let id = activity_id(self.id, number);
        activity.id = Some(id.clone());
        activity.timestamp = Some(timestamp(at));
        self.tx.execute(
            "UPDATE directline_activities SET position = ?3, body = ?4, deleted = ?5
             WHERE conversation = ?1 AND number = ?2",
            params![self.conversation, number, position, json(activity)?, deleted],
        )?;
        Ok(Some(Place { id, position }))
    }

    /// Keeps the newest `history_activities`, none older than `history_life`. Looked at once in every 64th
    /// part of the limit, so a little more than the limit may be kept for a while.
    fn forget_old(&self, position: i64, limits: &Limits, now: i64) -> Result<(), StoreError> {
        let keep = i64::try_from(limits.history_activities)
            .unwrap_or(i64::MAX)
            .max(1);
        if position % (keep / 64).max(1) != 0 {
            return Ok(());
        }
        self.tx.execute(
            "DELETE FROM directline_activities WHERE conversation = ?1 AND (at < ?3 OR position <= (
                 SELECT position FROM directline_activities WHERE conversation = ?1
                 ORDER BY position DESC LIMIT 1 OFFSET ?2))",
            params![
                self.conversation,
                keep,
                now.saturating_sub(micros(limits.history_life))
            ],
        )?;
        Ok(())
    }
}

/// Forgets what is older than `history_life` in every conversation, however quiet.
pub(crate) fn forget_old_everywhere(tx: &Tx<'_>, limits: &Limits, now: i64) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM directline_activities WHERE at < ?1",
        params![now.saturating_sub(micros(limits.history_life))],
    )?;
    Ok(())
}

/// A duration in the unit of the tables.
pub(crate) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// UTC with milliseconds and a trailing Z (Bot Framework Activity spec, `timestamp`).
pub(crate) fn timestamp(at: i64) -> String {
    let milliseconds = at.div_euclid(STEP);
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::MAX)
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

fn json(activity: &Activity) -> Result<String, StoreError> {
    serde_json::to_string(activity).map_err(StoreError::other)
}
