//! The jobs on record: every statement that touches them.

use jiff::Timestamp;
use tidings_store::StoreError;
use tidings_store::rusqlite::{self, Connection, OptionalExtension as _, Row, params};

use crate::delivery::DeliveryId;
use crate::enqueue::Lane;
use crate::job::{Completion, Job, JobPage, JobState};
use crate::job_number::JobNumber;
use crate::ledger::{self, Claimed, NewDelivery};
use crate::row;

pub(super) fn insert(tx: &Connection, creator: &Lane, now: Timestamp) -> Result<JobNumber, StoreError> {
    tx.prepare_cached(
        "INSERT INTO jobs (channel_id, conversation_id, reference, identity, state, started_at)
         VALUES (?1, ?2, ?3, ?4, 'running', ?5)",
    )?
    .execute(params![
        creator.channel_id,
        creator.conversation_id,
        creator.reference,
        creator.identity,
        now.as_microsecond()
    ])?;
    Ok(JobNumber::from_row(tx.last_insert_rowid()))
}

/// Completes a running job and puts the notice to its creator on record.
pub(super) fn complete(
    tx: &Connection,
    number: JobNumber,
    notice: String,
    now: Timestamp,
    expires_at: Timestamp,
    claim: bool,
) -> Result<(Completion, Option<Claimed>), StoreError> {
    let found = tx
        .prepare_cached(
            "SELECT state, channel_id, conversation_id, reference, identity FROM jobs WHERE number = ?1",
        )?
        .query_row([number.to_row()], |row| {
            if row.get_ref(0)?.as_str()? != JobState::Running.as_str() {
                return Ok(None);
            }
            Ok(Some(Lane {
                channel_id: row.get(1)?,
                conversation_id: row.get(2)?,
                reference: row.get(3)?,
                identity: row.get(4)?,
            }))
        })
        .optional()?;
    let creator = match found {
        None => return Ok((Completion::Unknown, None)),
        Some(None) => return Ok((Completion::AlreadyComplete, None)),
        Some(Some(creator)) => creator,
    };
    let delivery = NewDelivery {
        channel_id: creator.channel_id,
        conversation_id: creator.conversation_id,
        class: "job",
        reference: creator.reference,
        identity: creator.identity,
        activity: notice,
        dedupe_key: Some(format!("job:{number}:complete")),
        expires_at,
    };
    let inserted = ledger::insert(tx, delivery, now, claim)?;
    tx.prepare_cached(
        "UPDATE jobs SET state = 'complete', completed_at = ?2, notice_id = ?3 WHERE number = ?1",
    )?
    .execute([number.to_row(), now.as_microsecond(), inserted.id.get()])?;
    Ok((Completion::Completed, inserted.claimed))
}

const SELECT: &str =
    "SELECT number, jobs.channel_id, jobs.conversation_id, jobs.state, started_at, completed_at,
                             deliveries.state, notice_id, jobs.reference, jobs.identity
                      FROM jobs LEFT JOIN deliveries ON deliveries.id = jobs.notice_id";

pub(super) fn job(conn: &Connection, number: JobNumber) -> Result<Option<Job>, StoreError> {
    let job = conn
        .prepare_cached(&format!("{SELECT} WHERE number = ?1"))?
        .query_row([number.to_row()], from_row)
        .optional()?;
    Ok(job)
}

pub(super) fn page(conn: &Connection, newest: usize) -> Result<JobPage, StoreError> {
    let mut jobs: Vec<Job> = conn
        .prepare_cached(&format!("{SELECT} ORDER BY number DESC"))?
        .query_map([], from_row)?
        .take(newest)
        .collect::<Result<_, _>>()?;
    jobs.reverse();
    // Numbers have no gaps: a rolled back start gives its number back, and no job is ever deleted. So the numbers
    // themselves count, where counting rows would read all of them.
    let (lowest, highest): (Option<i64>, Option<i64>) = conn
        .prepare_cached("SELECT (SELECT min(number) FROM jobs), (SELECT max(number) FROM jobs)")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let older = match (lowest, highest, jobs.first()) {
        (Some(lowest), _, Some(first)) => first.number.to_row() - lowest,
        (Some(lowest), Some(highest), None) => highest - lowest + 1,
        _ => 0,
    };
    Ok(JobPage {
        jobs,
        older: u64::try_from(older).unwrap_or(0),
    })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        number: JobNumber::from_row(row.get(0)?),
        channel_id: row.get(1)?,
        conversation_id: row.get(2)?,
        state: if row.get_ref(3)?.as_str()? == JobState::Complete.as_str() {
            JobState::Complete
        } else {
            JobState::Running
        },
        started_at: row::timestamp(row, 4)?,
        completed_at: row::optional_timestamp(row, 5)?,
        notice: row::state(row, 6)?,
        notice_id: row.get::<_, Option<i64>>(7)?.map(DeliveryId),
        reference: row.get(8)?,
        identity: row.get(9)?,
    })
}
