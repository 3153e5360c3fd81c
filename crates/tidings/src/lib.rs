//! Bots that speak first, on the Bot Framework / Microsoft 365 Agents wire protocol.
//!
//! A user asks for something that takes time; Tidings remembers who asked, in which conversation, and brings the
//! news there later, whatever crashed in between. A bot is a [`Router`](bot::Router) of plain async functions; what they
//! need stands in their arguments.
//!
//! ```no_run
//! use tidings::prelude::*;
//!
//! #[tokio::main]
//! async fn main() -> tidings::Result<()> {
//!     let bot = Router::new()
//!         .message(["run", "run job"], start)
//!         .message("done {job}", finish)
//!         .otherwise(help);
//!     tidings::serve(bot).await // port 3978, SQLite beside it
//! }
//!
//! async fn start(turn: &mut TurnContext, jobs: Jobs) -> tidings::Result<()> {
//!     let job = jobs.start(turn.reference()).await?;
//!     turn.say(format!("We're starting job {job} for you. We'll notify you when it's complete.")).await
//! }
//!
//! async fn finish(turn: &mut TurnContext, jobs: Jobs, Capture(job): Capture<JobNumber>) -> tidings::Result<()> {
//!     let answer = match jobs.complete(job, format!("Job {job} is complete.")).await? {
//!         Completion::Completed => format!("Completing job {job}."),
//!         Completion::AlreadyComplete => format!("Job {job} is already complete."),
//!         Completion::Unknown => format!("The log does not contain a job {job}."),
//!     };
//!     turn.say(answer).await
//! }
//!
//! async fn help(turn: &mut TurnContext) -> tidings::Result<()> {
//!     turn.say("Type `run` to start a new job.").await
//! }
//! ```
//!
//! Run it and open <http://127.0.0.1:3978>: two chat windows on a local channel, no cloud account needed.
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | routing, extractors, state, middleware, tests of your own bot | [`bot`] |
//! | activities, references, cards | [`activity`] |
//! | jobs and notices that outlive the process | [`proactive`] |
//! | where state is kept | [`store`] |
//! | talking to a channel's REST API yourself | [`connector`] |
//! | the server as a library: configuration, graceful shutdown | [`server`] |
//! | the local channel: Direct Line and its connector | [`direct_line`] |
//!
//! [`serve`] is the short way; [`server::Server`] is the same with a configuration of your own.

pub use tidings_activity as activity;
pub use tidings_bot as bot;
pub use tidings_connector as connector;
pub use tidings_directline as direct_line;
pub use tidings_proactive as proactive;
pub use tidings_server as server;
pub use tidings_store as store;

pub use tidings_bot::{Error, Result};

pub mod prelude;
mod serve;

pub use serve::{serve, serve_with};
