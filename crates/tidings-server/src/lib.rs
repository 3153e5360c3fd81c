//! Hosting a bot: configuration, HTTP routes, telemetry and the page, as a library.

mod api_error;
mod config;
mod drain;
mod guard;
mod http_server;
mod page;
pub mod telemetry;

pub use config::{Config, ConfigError, Flags, LogFormat};
