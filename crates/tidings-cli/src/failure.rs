//! Why the command ends, as one line and an exit code in the manner of sysexits.h.

use std::fmt;
use std::process::ExitCode;

use tidings_server::{ConfigError, StartError};

#[derive(Debug)]
pub(crate) enum Failure {
    Start(StartError),
    NoServer(String),
    /// The server wants another key than it was given.
    NotAllowed(String),
    /// A running server has the database.
    Locked(String),
    Other(String),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Start(error) => error.exit_code(),
            Self::NoServer(_) => 69,
            Self::Locked(_) => 75,
            Self::NotAllowed(_) => 77,
            Self::Other(_) => 1,
        })
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Start(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Self::Start(error) => error.to_string(),
            Self::NoServer(message)
            | Self::NotAllowed(message)
            | Self::Locked(message)
            | Self::Other(message) => message.clone(),
        };
        // One line, whatever a database or an operating system says.
        f.write_str(&line.replace('\n', " "))
    }
}
