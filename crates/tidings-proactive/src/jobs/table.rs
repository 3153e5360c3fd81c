//! The jobs on record: every statement that touches them.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tidings_store::{Row, StoreError, Tx, params};

use crate::delivery::DeliveryId;
use crate::enqueue::Address;
use crate::job::{Completion, Job, JobPage, JobState};
use crate::job_number::JobNumber;
use crate::ledger::{self, Allowance, Claimed, Content, Insist, NewDelivery};
use crate::row;
use crate::unknown_policy::UnknownPolicy;

pub(super) fn insert(tx: &Tx<'_>, creator: &Address, now: Timestamp) -> Result<JobNumber, StoreError> {
    ledger::make_known(
        tx,
        &creator.channel_id,
        &creator.conversation_id,
        &creator.reference,
        creator.identity.as_deref(),
    )?;
    let number = tx.insert(
        "INSERT INTO jobs (channel_id, conversation_id, reference, identity, state, started_at)
         VALUES (?1, ?2, ?3, ?4, 'running', ?5)",
        "number",
        params![
            creator.channel_id,
            creator.conversation_id,
            creator.reference,
            creator.identity,
            now.as_microsecond()
        ],
    )?;
    number
        .map(JobNumber::from_row)
        .ok_or_else(|| StoreError::message("the database gave a new job no number"))
}

/// Completes a running job and puts the notice to its creator on record.
pub(super) fn complete(
    tx: &Tx<'_>,
    number: JobNumber,
    notice: &str,
    now: Timestamp,
    expires_at: Timestamp,
    trace: Option<&str>,
    allowance: &mut Allowance<'_>,
) -> Result<(Completion, Option<Claimed>), StoreError> {
    let sql = match tx.dialect() {
        tidings_store::Dialect::Postgres => {
            "SELECT state, channel_id, conversation_id, reference, identity FROM jobs WHERE number = ?1 FOR UPDATE"
        }
        tidings_store::Dialect::Sqlite => {
            "SELECT state, channel_id, conversation_id, reference, identity FROM jobs WHERE number = ?1"
        }
    };
    let found = tx.first(sql, params![number.to_row()], |row| {
        if row.text(0)? != JobState::Running.as_str() {
            return Ok(None);
        }
        Ok(Some(Address {
            channel_id: row.get(1)?,
            conversation_id: row.get(2)?,
            reference: row.get(3)?,
            identity: row.get(4)?,
        }))
    })?;
    let creator = match found {
        None => return Ok((Completion::Unknown, None)),
        Some(None) => return Ok((Completion::AlreadyComplete, None)),
        Some(Some(creator)) => creator,
    };
    let delivery = NewDelivery {
        channel_id: creator.channel_id,
        conversation_id: creator.conversation_id,
        reference: creator.reference,
        identity: creator.identity,
        content: Content::Activity(notice.to_owned()),
        class: "job".to_owned(),
        policy: UnknownPolicy::default(),
        // The job's own state says that it is owed once.
        dedupe: None,
        not_before: None,
        expires_at,
        parent: None,
        trace: trace.map(str::to_owned),
    };
    // A job's notice is owed however much is owed already: its completion must not fail.
    let Ok(mut enqueued) = ledger::enqueue(tx, delivery, now, Insist::Yes, allowance)? else {
        return Err(StoreError::message("a job's notice was refused"));
    };
    tx.execute(
        "UPDATE jobs SET state = 'complete', completed_at = ?2, notice_id = ?3 WHERE number = ?1",
        params![number.to_row(), now.as_microsecond(), enqueued.id.get()],
    )?;
    Ok((Completion::Completed, enqueued.claimed.take()))
}

const SELECT: &str =
    "SELECT number, jobs.channel_id, jobs.conversation_id, jobs.state, started_at, completed_at,
                             deliveries.state, notice_id, jobs.reference, jobs.identity
                      FROM jobs LEFT JOIN deliveries ON deliveries.id = jobs.notice_id";

pub(super) fn job(tx: &Tx<'_>, number: JobNumber) -> Result<Option<Job>, StoreError> {
    tx.first(
        &format!("{SELECT} WHERE number = ?1"),
        params![number.to_row()],
        from_row,
    )
}

pub(super) fn page(tx: &Tx<'_>, newest: usize) -> Result<JobPage, StoreError> {
    let mut jobs: Vec<Job> = Vec::new();
    let limit = i64::try_from(newest).unwrap_or(i64::MAX);
    tx.visit(
        &format!("{SELECT} ORDER BY number DESC LIMIT ?1"),
        params![limit],
        |row| {
            jobs.push(from_row(row)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    jobs.reverse();
    // Numbers have no gaps on SQLite: a rolled back start gives its number back, and no job is ever deleted. So the
    // numbers themselves count, where counting rows would read all of them. On PostgreSQL a failed start may leave a
    // gap, and the count of older ones is the most that there can be.
    let bounds = tx.first(
        "SELECT (SELECT min(number) FROM jobs), (SELECT max(number) FROM jobs)",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (lowest, highest): (Option<i64>, Option<i64>) = bounds.unwrap_or_default();
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

fn from_row(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        number: JobNumber::from_row(row.get(0)?),
        channel_id: row.get(1)?,
        conversation_id: row.get(2)?,
        state: if row.text(3)? == JobState::Complete.as_str() {
            JobState::Complete
        } else {
            JobState::Running
        },
        started_at: row::timestamp(row, 4)?,
        completed_at: row::optional_timestamp(row, 5)?,
        notice: row::state(row, 6)?,
        notice_id: row.get::<Option<i64>>(7)?.map(DeliveryId),
        reference: row.get(8)?,
        identity: row.get(9)?,
    })
}
