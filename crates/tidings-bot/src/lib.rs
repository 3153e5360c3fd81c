//! The bot SDK: a bot is a [`Router`] of plain async functions.
//!
//! - An [`Adapter`] stands between the channels and the bot. It runs one turn at a time in each conversation,
//!   commits what a turn leaves behind when it ends well, and opens the two doors to a turn in which the bot
//!   speaks first: [`Adapter::continue_conversation`] and [`Adapter::create_conversation`].
//! - A [`TurnContext`] is one turn: the activity, and everything a handler can do about it.
//! - [`Middleware`] runs around every turn; [`SendHook`], [`UpdateHook`] and [`DeleteHook`] around what a
//!   turn sends.
//! - [`BotState`] is what the bot remembers, guarded by eTags.
//! - [`FromTurn`] makes the arguments of handlers: [`Text`], [`Capture`], [`EventValue`], [`Service`], or
//!   your own.
//! - A [`TestAdapter`] talks to the bot in your tests.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidings_bot::{
//!     Adapter, Capture, Conversation, Error, EventValue, Result, Router, Scope, StateProperty, StatePropertyAccessor, TestAdapter,
//!     Text, TurnContext,
//! };
//!
//! /// What the bot remembers about a user.
//! #[derive(Default, Serialize, Deserialize)]
//! struct Watched(Vec<String>);
//!
//! impl StateProperty for Watched {
//!     const NAME: &'static str = "watched";
//!     const SCOPE: Scope = Scope::User;
//! }
//!
//! /// Handlers are plain functions; what they need stands in their arguments. State is saved when they end well.
//! async fn watch(
//!     turn: &mut TurnContext,
//!     Capture(product): Capture<String>,
//!     watched: StatePropertyAccessor<Watched>,
//! ) -> Result<()> {
//!     let mut now = watched.get_or_default(turn).await?;
//!     now.0.push(product);
//!     watched.set(turn, &now).await?;
//!     turn.say(format!("Watching {}.", now.0.join(" and "))).await
//! }
//!
//! async fn clicked(turn: &mut TurnContext, EventValue(product): EventValue<String>) -> Result<()> {
//!     turn.say(format!("You clicked on {product}.")).await
//! }
//!
//! async fn help(turn: &mut TurnContext, text: Text) -> Result<()> {
//!     turn.say(format!("I do not understand \"{text}\".")).await
//! }
//!
//! async fn apologise(turn: &mut TurnContext, error: Error) -> Result<()> {
//!     turn.say(format!("Sorry, that went wrong: {error}")).await
//! }
//!
//! /// The bot speaks first.
//! async fn tell(adapter: &Adapter, reference: &Conversation, news: String) -> Result<()> {
//!     let callback = async move |turn: &mut TurnContext| turn.say(news.as_str()).await;
//!     adapter.continue_conversation(reference, callback).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let bot = Router::new()
//!     .message("watch {product}", watch)
//!     .event("clicked", clicked)
//!     .otherwise(help)
//!     .on_turn_error(apologise);
//!
//! let ann = TestAdapter::new(bot);
//! ann.send("watch tea").await?.assert_reply("Watching tea.");
//! ann.send(" WATCH  Coffee ").await?.assert_reply("Watching tea and Coffee.");
//! ann.event("clicked", "tea").await?.assert_reply("You clicked on tea.");
//! ann.send("sell tea").await?.assert_reply("I do not understand \"sell tea\".");
//!
//! let reference = ann.complete("hello".into()).reference().into();
//! tell(ann.adapter(), &reference, "Tea is cheaper now.".to_owned()).await?;
//! assert_eq!(ann.next().await.text.as_deref(), Some("Tea is cheaper now."));
//! # Ok(())
//! # }
//! ```

mod activity_key;
mod adapter;
mod bot;
mod callback;
mod conversation;
mod conversation_key;
mod error;
mod extract;
mod gate;
mod handler;
mod hook;
mod identity;
mod in_flight;
mod inbound;
mod inbox;
mod middleware;
mod observer;
mod outbound;
mod process_error;
mod router;
mod services;
pub mod spans;
mod state;
mod test_adapter;
mod turn;

pub use activity_key::ActivityKey;
pub use adapter::{Adapter, AdapterBuilder, BuildError, ContinuationFailed, CreateConversation};
pub use async_trait::async_trait;
pub use bot::Bot;
pub use callback::TurnCallback;
pub use conversation::Conversation;
pub use conversation_key::ConversationKey;
pub use error::{Error, Result};
pub use extract::{Capture, CaptureError, EventValue, FromTurn, Service, Text};
pub use gate::{Entering, Gate, GateGuard, WouldDeadlock};
pub use handler::Handler;
pub use hook::{DeleteHook, NextDelete, NextSend, NextUpdate, SendHook, UpdateHook};
pub use identity::Identity;
pub use inbound::{Inbound, TurnResponse};
pub use inbox::MIGRATIONS;
pub use middleware::{Middleware, Next};
pub use observer::{Admission, Deduplication, DeduplicationLimits, TurnFacts, TurnObserver};
pub use outbound::{Collector, ConnectorOutbound, Outbound};
pub use process_error::{ProcessError, TurnFailure};
pub use router::{Captures, Names, Router};
pub use services::{MissingService, Services};
pub use state::{BotState, Scope, StateError, StateProperty, StatePropertyAccessor};
pub use test_adapter::{Heard, TestAdapter, TestAdapterBuilder, TestChannel};
pub use turn::{TurnContext, TurnKind};
