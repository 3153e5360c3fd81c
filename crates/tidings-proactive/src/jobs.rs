//! The job log.

mod table;

use std::fmt;
use std::sync::Arc;

use tidings_bot::Conversation;
use tokio::sync::watch;

use crate::enqueue::{Address, MAX_ACTIVITY_BYTES, check_size, write_activity};
use crate::error::ProactiveError;
use crate::job::{Completion, Job, JobPage};
use crate::job_number::JobNumber;
use crate::notice::Notice;
use crate::proactive::Proactive;

/// The job log: who asked for what, and who is told when it is complete.
///
/// A handler takes it as an argument once it is a service of the adapter.
///
/// ```
/// # use tidings_bot::{Capture, TurnContext};
/// # use tidings_proactive::{Completion, JobNumber, Jobs};
/// async fn start(turn: &mut TurnContext, jobs: Jobs) -> tidings_bot::Result<()> {
///     let job = jobs.start(turn.reference()).await?;
///     turn.say(format!("We're starting job {job} for you.")).await
/// }
///
/// async fn finish(turn: &mut TurnContext, Capture(job): Capture<JobNumber>, jobs: Jobs) -> tidings_bot::Result<()> {
///     match jobs.complete(job, format!("Job {job} is complete.")).await? {
///         Completion::Completed => turn.say("Its creator will be told.").await,
///         Completion::AlreadyComplete => turn.say("Its creator was told before.").await,
///         Completion::Unknown => turn.say("There is no such job.").await,
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Jobs {
    proactive: Proactive,
}

impl Jobs {
    pub(crate) fn new(proactive: Proactive) -> Self {
        Jobs { proactive }
    }

    /// Starts a job for whoever `creator` is, and returns its number. The job is durable when this returns, and with
    /// it as whom the bot comes back to tell of its end.
    ///
    /// # Errors
    /// The reference names no conversation, or the database refused; then there is no job.
    pub async fn start(&self, creator: impl Into<Conversation>) -> Result<JobNumber, ProactiveError> {
        let worker = &self.proactive.worker;
        let creator = Address::of(creator.into())?;
        let number = worker
            .write(move |tx, now| table::insert(tx, &creator, now))
            .await?;
        worker.bump();
        Ok(number)
    }

    /// Completes a job and owes `notice` to its creator, in one commit: either both are on record when this
    /// returns, or neither. The worker brings the notice to the creator's conversation.
    ///
    /// However many callers complete a job, one of them gets [`Completion::Completed`] and one notice is owed.
    ///
    /// # Errors
    /// The notice is larger than any channel takes ([`ProactiveError::TooLarge`]), or the database refused; then the job
    /// is as it was.
    pub async fn complete(
        &self,
        number: JobNumber,
        notice: impl Into<Notice>,
    ) -> Result<Completion, ProactiveError> {
        let worker = &self.proactive.worker;
        let activity = write_activity(&notice.into().0)?;
        // Which channel it goes to is known in the commit only; this is the most that any takes.
        check_size(&activity, MAX_ACTIVITY_BYTES)?;
        let expires_at = worker.expiry();
        let (counters, trace) = (Arc::clone(&worker.counters), worker.trace());
        worker
            .commit(1, move |tx, now, allowance| {
                let (completion, claimed) = table::complete(
                    tx,
                    number,
                    &activity,
                    now,
                    expires_at,
                    trace.as_deref(),
                    allowance,
                )?;
                Ok((completion, Vec::from_iter(claimed)))
            })
            .await
            .inspect(|completion| {
                if *completion == Completion::Completed {
                    counters.accepted(1);
                }
            })
    }

    /// The job with this number.
    ///
    /// # Errors
    /// The database refused.
    pub async fn get(&self, number: JobNumber) -> Result<Option<Job>, ProactiveError> {
        Ok(self
            .proactive
            .worker
            .db
            .read(move |conn| table::job(conn, number))
            .await?)
    }

    /// The newest jobs, at most `newest` of them, and how many older ones there are. Costs as much as it
    /// returns, however long the log is.
    ///
    /// # Errors
    /// The database refused.
    pub async fn page(&self, newest: usize) -> Result<JobPage, ProactiveError> {
        Ok(self
            .proactive
            .worker
            .db
            .read(move |conn| table::page(conn, newest))
            .await?)
    }

    /// A counter that rises after every commit that changed a job or the state of a notice.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.proactive.worker.watch()
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").finish_non_exhaustive()
    }
}
