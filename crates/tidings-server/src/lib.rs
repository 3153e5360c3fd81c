//! Hosting a bot: configuration, HTTP routes, telemetry and the page, as a library.
//!
//! [`Server`] puts the floors together: the bot behind `POST /api/messages`, the engine that brings notices, the local
//! channel (Direct Line and its connector), the job log's API and the page, on one address and one database.
//!
//! Without an app id it runs in **local mode**: nobody is authenticated, so it listens on loopback addresses only,
//! answers only callers that address it by a loopback name and pages loaded from one, and sends only to loopback
//! serviceUrls.
//!
//! | route | what |
//! |---|---|
//! | `POST /api/messages` | the bot |
//! | `/v3/directline/...` | Direct Line 3.0, for chat clients; the only route with CORS |
//! | `/v3/conversations/...`, `/v3/attachments/...` | the local channel's connector, for the bot |
//! | `GET /api/v1/jobs?limit=100` | the newest jobs, newest first |
//! | `GET /api/v1/jobs/events` | the same as server-sent events, at once and after each change |
//! | `GET /` | the page |
//! | `GET /healthz`, `GET /readyz` | the process lives; it can do its work |

mod api_error;
mod config;
pub mod doctor;
mod drain;
mod guard;
mod health;
mod http_server;
mod jobs;
mod messages;
mod page;
mod proactive_channel;
mod server;
mod signal;
mod start_error;
pub mod telemetry;
mod turns;

pub use config::{AppCredential, CertificateKey, Config, ConfigError, Flags, LogFormat, Secret};
pub use server::Server;
pub use start_error::StartError;
