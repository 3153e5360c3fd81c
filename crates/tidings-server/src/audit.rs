//! The record of what was changed through the API, by whom, and with what result.
//!
//! Each use of a scope that writes is on record **before** its effect: the gate commits a row without a status, lets the
//! route do its work, and then adds the status, soon after the answer. If the row cannot be written, nothing is done. A
//! row whose status is missing means that the process ended, or the caller went away, in between. Commands that open the
//! database themselves write their row in the same commit as its effect.

mod ends;
mod table;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tidings_store::{Clock, Database, StoreError, Tx};

use crate::keys::Scope;
use ends::{End, Ends};

/// The most rows; the oldest go first.
const MAX_ROWS: i64 = 100_000;
/// How long a row is kept.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Old rows go with each row whose number is a multiple of this: to look for them costs as much as a row.
const PRUNED_EVERY: i64 = 64;
/// Who acts where no key is needed.
pub(crate) const LOCAL: &str = "local";

/// One use of a scope that writes: who does what to what.
#[derive(Clone, Debug)]
pub struct Use {
    pub(crate) key_id: String,
    pub(crate) key_name: String,
    pub(crate) scope: Scope,
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) target: String,
    pub(crate) remote_address: Option<IpAddr>,
}

impl Use {
    /// A use by a command that has opened the database itself, such as `tidings keys create`.
    #[must_use]
    pub fn command(scope: Scope, command: &str) -> Self {
        Self {
            key_id: LOCAL.to_owned(),
            key_name: LOCAL.to_owned(),
            scope,
            method: "COMMAND".to_owned(),
            route: command.to_owned(),
            target: String::new(),
            remote_address: None,
        }
    }

    pub(crate) fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }
}

/// A row of the audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AuditEntry {
    /// Its number; later rows have higher ones.
    pub id: i64,
    /// When it began.
    pub at: Timestamp,
    /// The id of the key, or `local` where none was needed.
    pub key_id: String,
    /// The name the key had.
    pub key_name: String,
    /// The scope that was used.
    pub scope: String,
    /// The HTTP method, or `COMMAND`.
    pub method: String,
    /// The template of the path, or the command.
    pub route: String,
    /// What it was done to: the number of a job, the id of a key.
    pub target: String,
    /// The HTTP status of the answer; `None` if it did not come to one.
    pub status: Option<u16>,
    /// Where the request came from.
    pub remote_address: Option<String>,
}

/// Some rows of the audit, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditPage {
    /// The rows.
    pub entries: Vec<AuditEntry>,
    /// The cursor of the rows before these; `None` if there are none.
    pub next: Option<i64>,
}

/// The audit of one database.
#[derive(Clone, Debug)]
pub struct Audit {
    database: Database,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    ends: Arc<Ends>,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    rows: i64,
    age: SignedDuration,
    pruned_every: i64,
}

const BOUNDS: Bounds = Bounds {
    rows: MAX_ROWS,
    age: MAX_AGE,
    pruned_every: PRUNED_EVERY,
};

impl Audit {
    /// The audit of `database`, which [`open_database`](crate::open_database) has opened.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            bounds: BOUNDS,
            ends: Arc::default(),
        }
    }

    /// At most `limit` rows with numbers below `cursor`, or the newest.
    ///
    /// # Errors
    ///
    /// The database refused.
    pub async fn page(&self, limit: usize, cursor: Option<i64>) -> Result<AuditPage, StoreError> {
        self.settled().await;
        self.database
            .read(move |tx| table::page(tx, limit, cursor.unwrap_or(i64::MAX)))
            .await
    }

    /// Puts a use on record; its result is told to [`settle`](Self::settle).
    pub(crate) async fn begin(&self, begun: Use) -> Result<i64, StoreError> {
        let (now, bounds) = (self.clock.now(), self.bounds);
        self.database
            .write_repeatable(move |tx| table::insert(tx, &begun, now, None, bounds))
            .await
    }

    /// Adds how a use ended, and its target if that was not known before: soon, by a task, and together with others.
    pub(crate) fn settle(&self, id: i64, status: u16, target: Option<String>) {
        if self.ends.put(End { id, status, target }) {
            let audit = self.clone();
            tokio::spawn(async move { audit.ends.write(|ends| audit.write_ends(ends)).await });
        }
    }

    /// Waits until what was settled before is on record.
    pub(crate) async fn settled(&self) {
        self.ends.none().await;
    }

    async fn write_ends(&self, ends: Vec<End>) {
        let requests = ends.len();
        let written = self
            .database
            .write_repeatable(move |tx| table::settle(tx, &ends))
            .await;
        if let Err(error) = written {
            tracing::error!(requests, error = %error, "the audit lacks how requests ended");
        }
    }
}

/// Writes a use that is over when the commit it stands in is.
pub(crate) fn write_done(tx: &Tx<'_>, done: Option<Use>, now: Timestamp) -> Result<(), StoreError> {
    if let Some(done) = done {
        table::insert(tx, &done, now, Some(200), BOUNDS)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
