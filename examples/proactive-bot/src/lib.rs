//! The article's bot: `run` starts a job, `show` lists the log, `done N` completes one, and whoever started it is told.

use std::fmt::Write as _;

use tidings::Result;
use tidings::activity::TextFormat;
use tidings::prelude::*;
use tidings::proactive::{JobNumberError, JobPage};

const HELP: &str = "Type `run` or `run job` to start a new job.\r\n\
                    Type `show` or `show jobs` to display the job log.\r\n\
                    Type `done <jobNumber>` to complete a job.";
const NO_NUMBER: &str = "Enter the job ID number after \"done\".";
const HEAD: &str = "| Job number &nbsp; | Conversation ID &nbsp; | Completed |\n| :--- | :---: | :---: |";
/// How many jobs `show` shows.
const SHOWN: usize = 500;

/// The bot, ready to be served.
pub fn bot() -> Router {
    Router::new()
        .message(["run", "run job"], run)
        .message(["show", "show jobs"], show)
        .message(["done", "done {number..}"], done)
        .event(["jobComplete", "jobCompleted"], job_completed)
        .otherwise(help)
        .on_turn_error(apologise)
}

async fn run(turn: &mut TurnContext, jobs: Jobs) -> Result<()> {
    let job = jobs.start(turn.reference()).await?;
    let answer = format!("We're starting job {job} for you. We'll notify you when it's complete.");
    turn.say(answer).await
}

async fn show(turn: &mut TurnContext, jobs: Jobs) -> Result<()> {
    let log = jobs.page(SHOWN).await?;
    if log.jobs.is_empty() {
        return turn.say("The job log is empty.").await;
    }
    let message = Activity::message(table(&log)).with_text_format(TextFormat::Markdown);
    turn.send(message).await.map(drop)
}

async fn done(turn: &mut TurnContext, number: Option<Capture<String>>, jobs: Jobs) -> Result<()> {
    let Some(Capture(number)) = number else {
        return turn.say(NO_NUMBER).await;
    };
    let answer = match number.parse() {
        Ok(job) => match complete(&jobs, job).await? {
            Completion::Completed => format!("Completing job {job}."),
            Completion::AlreadyComplete => format!("Job {job} is already complete."),
            Completion::Unknown => format!("The log does not contain a job {job}."),
        },
        Err(JobNumberError::OutOfRange) => format!("The log does not contain a job {number}."),
        Err(_) => NO_NUMBER.to_owned(),
    };
    turn.say(answer).await
}

/// A job service reports a completion; it is not answered, whatever it says.
async fn job_completed(_: &mut TurnContext, value: Result<EventValue<JobNumber>>, jobs: Jobs) -> Result<()> {
    match value {
        Ok(EventValue(job)) => match complete(&jobs, job).await? {
            Completion::Completed => {}
            found => tracing::info!(%job, ?found, "ignored: nothing to complete"),
        },
        Err(error) => tracing::warn!(%error, "ignored: a completion without a job number"),
    }
    Ok(())
}

async fn complete(jobs: &Jobs, job: JobNumber) -> Result<Completion> {
    Ok(jobs.complete(job, format!("Job {job} is complete.")).await?)
}

async fn help(turn: &mut TurnContext) -> Result<()> {
    turn.say(HELP).await
}

async fn apologise(turn: &mut TurnContext) -> Result<()> {
    turn.say("Sorry, it looks like something went wrong!").await
}

/// The log as a Markdown table: real line breaks, because channels do not render a table made with `<br>`.
fn table(log: &JobPage) -> String {
    let mut table = HEAD.to_owned();
    for job in &log.jobs {
        let conversation = cell(&job.conversation_id);
        let completed = if job.state == JobState::Complete {
            "True"
        } else {
            "False"
        };
        let _ = write!(
            table,
            "\n| {} &nbsp; | {conversation} &nbsp; | {completed} |",
            job.number
        );
    }
    if log.older > 0 {
        let _ = write!(table, "\n\nOlder jobs not shown: {}.", log.older);
    }
    table
}

/// A conversation id, up to its `|`, with nothing in it that would end the row or begin a tag.
fn cell(id: &str) -> String {
    let id = id.split('|').next().unwrap_or_default();
    id.replace(|character: char| character.is_control(), " ")
        .replace('<', "&lt;")
}
