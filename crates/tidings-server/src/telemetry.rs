//! Log lines on standard error: a sentence that reads alone, and dotted fields beside it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, ConfigError, LogFormat};

/// Starts logging as `config` says. Does nothing if the process already has a subscriber.
///
/// # Errors
///
/// [`ConfigError::Invalid`] for a filter that cannot be read.
pub fn init(config: &Config) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|_| ConfigError::Invalid {
        place: "TIDINGS_LOG".to_owned(),
        problem:
            "must be a level (error, warn, info, debug, trace) or a filter such as info,tidings_store=debug"
                .to_owned(),
        value: config.log.clone(),
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A subscriber that is already there belongs to the program that embeds this server.
    let _already_set = match config.log_format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(colour()).try_init(),
    };
    Ok(())
}

/// Colour for people only, and only if they did not opt out (<https://no-color.org>).
fn colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}
