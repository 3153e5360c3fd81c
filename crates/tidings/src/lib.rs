//! Bots that speak first, on the Bot Framework / Microsoft 365 Agents wire protocol.
//!
//! A user asks for something that takes time; Tidings remembers who asked, in which conversation, and brings the
//! news there later, whatever crashed in between. A bot is a [`Router`](bot::Router) of plain async functions; what they
//! need stands in their arguments.
//!
//! ```no_run
//! use tidings::prelude::*;
//!
//! async fn echo(turn: &mut TurnContext, text: Text) -> tidings::Result<()> {
//!     turn.say(format!("You said: {text}")).await
//! }
//!
//! #[tokio::main]
//! async fn main() -> tidings::Result<()> {
//!     tidings::serve(Router::new().otherwise(echo)).await // port 3978, SQLite beside it
//! }
//! ```
//!
//! Run it and open <http://127.0.0.1:3978>: chat windows on a local channel, no cloud account needed.
//!
//! # A bot that speaks first
//!
//! [`Jobs`](proactive::Jobs) are work that somebody asked for. Completing one and owing its notice are one commit; a
//! worker brings the notice to the conversation that asked, and again after a crash. In a test, the windows are those of
//! a [`TestAdapter`](bot::TestAdapter):
//!
//! ```
//! use std::sync::Arc;
//!
//! use tidings::bot::TestAdapter;
//! use tidings::prelude::*;
//! use tidings::proactive::{CancellationToken, MIGRATIONS};
//! use tidings::store::{Database, SystemClock};
//!
//! async fn run(turn: &mut TurnContext, jobs: Jobs) -> tidings::Result<()> {
//!     let job = jobs.start(turn.reference()).await?; // on disk when it returns
//!     turn.say(format!("We're starting job {job} for you.")).await
//! }
//!
//! async fn done(turn: &mut TurnContext, Capture(job): Capture<JobNumber>, jobs: Jobs) -> tidings::Result<()> {
//!     let answer = match jobs.complete(job, format!("Job {job} is complete.")).await? {
//!         Completion::Completed => format!("Completing job {job}."),
//!         Completion::AlreadyComplete => format!("Job {job} is already complete."),
//!         Completion::Unknown => format!("The log does not contain a job {job}."),
//!     };
//!     turn.say(answer).await
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> tidings::Result<()> {
//! let proactive = Proactive::new(Database::temporary([MIGRATIONS])?, Arc::new(SystemClock));
//! let ann = TestAdapter::builder(Router::new().message("run", run).message("done {job}", done))
//!     .set_up(|adapter| adapter.service(proactive.jobs()))
//!     .build();
//! let windows = Arc::new(ann.clone());
//! tokio::spawn(async move { proactive.run(windows, CancellationToken::new()).await });
//!
//! ann.send("run").await?.assert_reply("We're starting job 1001 for you.");
//! ann.conversation("job-system").send("done 1001").await?.assert_reply("Completing job 1001.");
//! assert_eq!(ann.next().await.text.as_deref(), Some("Job 1001 is complete."));
//! # Ok(())
//! # }
//! ```
//!
//! [`serve`] runs the worker itself.
//!
//! # Where to look
//!
//! This crate is a front door: it gives the crates behind it under shorter names.
//!
//! | for | see | crate |
//! |---|---|---|
//! | what most bots need, in one `use` | [`prelude`] | |
//! | routing, extractors, state, middleware, tests of your own bot | [`bot`] | `tidings-bot` |
//! | jobs and notices that outlive the process | [`proactive`] | `tidings-proactive` |
//! | activities, references, cards | [`activity`] | `tidings-activity` |
//! | where state is kept | [`store`] | `tidings-store` |
//! | talking to a channel's REST API yourself | [`connector`] | `tidings-connector` |
//! | the server as a library: configuration, graceful shutdown | [`server`] | `tidings-server` |
//! | the local channel: Direct Line and its connector | [`direct_line`] | `tidings-directline` |
//!
//! [`serve`] is the short way, [`serve_with`] adds middleware and services of your own, and [`server::Server`] is the same
//! in pieces.
//!
//! Two pages of the repository go further: `docs/how-to-proactive-messaging.md`, step by step, and
//! `docs/from-botbuilder.md`, concept by concept for those who know the SDKs in JavaScript and .NET.
//!
//! This version is for trying and building on one machine: it speaks to channels without authentication only, and
//! [`serve`] listens on loopback addresses only.

pub use tidings_activity as activity;
pub use tidings_bot as bot;
pub use tidings_connector as connector;
pub use tidings_directline as direct_line;
pub use tidings_proactive as proactive;
pub use tidings_server as server;
pub use tidings_store as store;

pub use tidings_bot::{Error, Result};

#[cfg(doctest)]
mod pages;
pub mod prelude;
mod serve;

pub use serve::{serve, serve_with};
