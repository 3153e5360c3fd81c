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
//! use tidings_bot::{Capture, Result, Router, TestAdapter, Text, TurnContext};
//!
//! async fn greet(turn: &mut TurnContext, Capture(name): Capture<String>) -> Result<()> {
//!     turn.say(format!("Hello, {name}.")).await
//! }
//!
//! async fn help(turn: &mut TurnContext, text: Text) -> Result<()> {
//!     turn.say(format!("I do not understand \"{text}\".")).await
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let bot = Router::new().message("hello i am {name}", greet).otherwise(help);
//!
//! let user = TestAdapter::new(bot);
//! user.send("Hello, I  am Ann").await?.assert_reply("I do not understand \"Hello, I  am Ann\".");
//! user.send("HELLO i am Ann").await?.assert_reply("Hello, Ann.");
//! # Ok(())
//! # }
//! ```

mod activity_key;
mod adapter;
mod bot;
mod callback;
mod conversation_key;
mod error;
mod extract;
mod gate;
mod handler;
mod hook;
mod identity;
mod in_flight;
mod inbound;
mod middleware;
mod observer;
mod outbound;
mod process_error;
mod router;
mod services;
mod state;
mod test_adapter;
mod turn;

pub use activity_key::ActivityKey;
pub use adapter::{Adapter, AdapterBuilder, BuildError, ContinuationFailed, CreateConversation, MIGRATIONS};
pub use async_trait::async_trait;
pub use bot::Bot;
pub use callback::TurnCallback;
pub use conversation_key::ConversationKey;
pub use error::{Error, Result};
pub use extract::{Capture, CaptureError, EventValue, FromTurn, Service, Text};
pub use gate::{Entering, Gate, GateGuard, WouldDeadlock};
pub use handler::Handler;
pub use hook::{DeleteHook, NextDelete, NextSend, NextUpdate, SendHook, UpdateHook};
pub use identity::Identity;
pub use inbound::{Inbound, TurnResponse};
pub use middleware::{Middleware, Next};
pub use observer::{Admission, Deduplication, DeduplicationLimits, TurnFacts, TurnObserver};
pub use outbound::{Collector, ConnectorOutbound, Outbound};
pub use process_error::{ProcessError, TurnFailure};
pub use router::{Captures, Names, Router};
pub use services::{MissingService, Services};
pub use state::{BotState, Scope, StateError, StateProperty, StatePropertyAccessor};
pub use test_adapter::{Heard, TestAdapter, TestAdapterBuilder, TestChannel};
pub use turn::{TurnContext, TurnKind};
