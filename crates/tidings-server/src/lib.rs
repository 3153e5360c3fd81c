//! Hosting a bot: configuration, HTTP routes, telemetry and the page, as a library.
//!
//! [`Server`] puts the floors together: the bot behind `POST /api/messages`, the engine that brings notices, the local
//! channel (Direct Line and its connector), the job log's API and the page, on one address and one database.
//!
//! Without an app id it runs in **local mode**: nobody is authenticated, so it listens on loopback addresses only,
//! answers only callers that address it by a loopback name and pages loaded from one, and sends only to loopback
//! serviceUrls.
//!
//! With an app id it is in **authenticated mode**: each request to the bot must carry a token of its channel, of the
//! Emulator or of an allowed bot; the bot's own tokens go to Microsoft's channels and listed hosts only; and `/api/v1` and
//! `/metrics` ask for a key. The local channel is off by default.
//!
//! | route | what |
//! |---|---|
//! | `POST /api/messages` | the bot |
//! | `/v3/directline/...` | Direct Line 3.0, for chat clients; the only route with CORS |
//! | `/v3/conversations/...`, `/v3/attachments/...` | the local channel's connector, for the bot |
//! | `GET /api/v1/jobs?limit=100` | the newest jobs, newest first |
//! | `GET /api/v1/jobs/events` | the same as server-sent events, at once and after each change |
//! | `POST /api/v1/jobs/{number}/complete` | completes a job and tells its creator |
//! | `GET, POST /api/v1/deliveries` | what is owed, newest first; owes more |
//! | `GET /api/v1/deliveries/events`, `/summary`, `/{id}` | the same live; in numbers; one with its attempts and waits |
//! | `POST /api/v1/deliveries/{id}/cancel`, `/hold`, `/release`, `/retry` | takes one back; keeps it back; lets it go; owes a dead or unknown one again |
//! | `GET, POST, DELETE /api/v1/pauses` | what is stopped; stops a conversation, a channel or everything, and lets it go on |
//! | `GET, PUT /api/v1/limits` | how often channels may be called; sets it |
//! | `GET, POST /api/v1/keys`, `DELETE /api/v1/keys/{id}` | the API's keys |
//! | `GET /api/v1/audit?limit=100&cursor=` | what was changed through the API, newest first |
//! | `GET /api/v1/server` | whether a key is needed, and whether there is a local channel |
//! | `GET /metrics` | who was let in and who was not, as OpenMetrics text |
//! | `GET /` | the page |
//! | `GET /healthz`, `GET /readyz` | the process lives; it can do its work |

mod access;
mod api;
mod api_body;
mod api_error;
mod audit;
mod config;
mod database;
pub mod doctor;
mod drain;
mod gate;
mod guard;
mod health;
mod http_server;
mod jobs;
mod keys;
mod live;
mod messages;
mod metrics;
mod page;
mod proactive_channel;
mod schema;
mod server;
mod signal;
mod start_error;
pub mod telemetry;
mod trust;
mod turns;

pub use audit::{Audit, AuditEntry, AuditPage, Use};
pub use config::{AppCredential, CertificateKey, Config, ConfigError, Flags, LogFormat, Secret};
pub use database::{back_up_database, database_exists, database_name, open_database};
pub use keys::{ApiKey, CreatedKey, KeyError, KeyState, Keys, ListedKey, NewKey, Scope, UnknownScope};
pub use server::Server;
pub use start_error::StartError;
