//! A job as the log shows it.

use std::fmt;

use jiff::Timestamp;
use tidings_bot::{Conversation, Identity};

use crate::delivery::{DeliveryId, DeliveryState};
use crate::error::ProactiveError;
use crate::job_number::JobNumber;

/// One job of the log.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Job {
    /// Its number.
    pub number: JobNumber,
    /// The channel it was started in.
    pub channel_id: String,
    /// The conversation it was started in.
    pub conversation_id: String,
    /// Whether it still runs.
    pub state: JobState,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was completed, if it was.
    pub completed_at: Option<Timestamp>,
    /// How far the notice of its completion is; `None` while the job runs.
    pub notice: Option<DeliveryState>,
    /// The delivery of that notice.
    pub notice_id: Option<DeliveryId>,
    /// The creator's conversation reference, as JSON. Decoded on demand: a page holds hundreds.
    pub(crate) reference: String,
    pub(crate) identity: Option<String>,
}

impl Job {
    /// Where the creator of the job is reached, and as whom.
    ///
    /// # Errors
    /// [`ProactiveError::Unreadable`] if the stored reference or identity is not one.
    pub fn reference(&self) -> Result<Conversation, ProactiveError> {
        let unreadable = |what: &str, source| ProactiveError::Unreadable {
            what: format!("{what} of job {}", self.number),
            source,
        };
        let reference = serde_json::from_str(&self.reference);
        let identity = Identity::from_json(self.identity.as_deref());
        Ok(Conversation::new(
            reference.map_err(|source| unreadable("reference", source))?,
            identity.map_err(|source| unreadable("identity", source))?,
        ))
    }
}

/// Whether a job still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Started and not complete.
    Running,
    /// Complete. It stays so.
    Complete,
}

impl JobState {
    /// The state as the database and the API spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Complete => "complete",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The newest jobs of the log.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, oldest first.
    pub jobs: Vec<Job>,
    /// How many jobs are older than the first of them.
    pub older: u64,
}

/// What [`Jobs::complete`](crate::Jobs::complete) found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The job was running. It is complete now, and the notice to its creator is on record.
    Completed,
    /// The job was complete before; nothing changed and nobody is told again.
    AlreadyComplete,
    /// No job has this number.
    Unknown,
}
