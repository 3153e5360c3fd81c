//! The local channel of Tidings: a Direct Line 3.0 server in front of a connector service of its own.
//!
//! Clients (Web Chat, DirectLineJS, anything that speaks Direct Line 3.0) talk to `/v3/directline`; the bot
//! gets what they say through a [`BotEndpoint`] and answers to `/v3/conversations` at the `serviceUrl` it is
//! told. Conversations, history, members, files and the key that signs tokens live in the
//! [`Database`](tidings_store::Database), so what the bot says while nobody is connected is there when a
//! window opens again, also after a restart.
//!
//! Start at [`DirectLine`].
//!
//! # Who may do what
//!
//! | | clients (`/v3/directline`) | the bot (`/v3/conversations`) | files (`GET /v3/attachments/{id}`) |
//! |---|---|---|---|
//! | local mode (no secret) | anybody; a token is held to its conversation | anybody who knows the conversation's id | anybody who knows the file's id |
//! | with a secret | the secret, or a token made with it | whoever knows the key in the `serviceUrl` | anybody who knows the file's id |
//!
//! - **The bot's key.** A user knows the id of the conversation, so on a public server that id must not be
//!   enough to speak as the bot. With a secret, the bot's `serviceUrl` is `{connector_url}/local/{key}`
//!   ([`DirectLine::service_url`]), the routes of the bot are only below it, and every other path is 404. The
//!   key is made from the key that signs tokens: it stays the same after a restart and with another secret, so
//!   stored conversation references stay good. Whoever holds such a reference can speak as the bot: treat it
//!   as a secret. References from before there was a secret lead to the plain routes, which are then 404; they
//!   are good again once the user has said something.
//! - **What clients see.** No activity has a `serviceUrl`, and where a bot names its own, as in `relatesTo` or
//!   in a file's URL made from it, clients get `base_url` in its place. The log does not have the key either;
//!   a server or proxy that logs paths must leave out what follows `/local/`.
//! - **Files.** An `<img>` sends no token, so a file is protected by its id alone (131 random bits), for
//!   clients and for the bot, and for [`Limits::attachment_life`]. Its URL starts with `base_url`. The bot may
//!   also read it below its `serviceUrl`, and uploads only there.
//!
//! # What it does where the documents leave room
//!
//! - **A failing bot.** A user's activity is committed and echoed before the bot is asked. If the bot then
//!   fails, the client is told 502 (`BotRejectedActivity` for a 4xx, `BotError` for everything else and for
//!   more than [`Limits::bot_timeout`]), and the activity stays in the history: it was said.
//! - **Update and delete.** Direct Line has neither. A changed activity is sent again with its old id and
//!   timestamp, which Web Chat shows in place of the first. A deleted one is sent again as a message with
//!   nothing in it, which Web Chat hides; only clients that may have seen it get that.
//! - **Never kept.** `typing` reaches only the WebSocket that is open now, and `trace` and
//!   `conversationUpdate` from a bot are accepted and shown to nobody. An `invoke` from a client is delivered
//!   but neither kept nor echoed, since it may carry tokens. `expectReplies` from a client is treated as
//!   `normal`.
//! - **History.** The newest 10,000 activities of a conversation, none older than 14 days ([`Limits`]);
//!   conversations themselves are kept, so that a job may finish later than that. An older watermark gets
//!   what is left.
//! - **User ids.** As on Direct Line, a user id in a token must start with `dl_`, and such an id cannot be
//!   used without a token that names it. Other ids are the client's own claim.
//! - **Coming back.** A token lives 30 minutes and can be refreshed while it lives. After that, whoever holds
//!   the secret (in local mode: anybody, by saying nothing) gets a new one for the same conversation with
//!   `GET /conversations/{id}`.
//! - **Sends with a delivery id.** A bot's send with the header `x-tidings-delivery` is kept once per
//!   conversation and id; a repeat is answered with the first one's activity id, as long as that is in the
//!   history.

mod attachment;
mod body;
mod bot_endpoint;
mod caller;
mod channel;
mod client_routes;
mod connector_key;
mod connector_routes;
mod conversation;
mod direct_line;
mod extract;
mod faults;
mod history;
mod identifier;
mod live;
mod member;
mod options;
mod order;
mod posting;
mod refusal;
mod schema;
mod sending;
mod stream;
mod token;
mod watcher;

pub use bot_endpoint::{BotEndpoint, BotReply};
pub use direct_line::DirectLine;
pub use faults::{Fault, Faults};
pub use options::{BaseUrl, DirectLineOptions, Limits};
pub use schema::MIGRATIONS;
