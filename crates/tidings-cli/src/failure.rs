//! Why the command ends, as one line and an exit code in the manner of sysexits.h.

use std::fmt;
use std::process::ExitCode;

use tidings_connector::BotFileError;
use tidings_server::{ConfigError, StartError};
use tidings_store::BackupError;

#[derive(Debug)]
pub(crate) enum Failure {
    Start(StartError),
    NoServer(String),
    /// The server wants another key than it was given.
    NotAllowed(String),
    /// A running server has the database.
    Locked(String),
    Backup(BackupError),
    BotFile(BotFileError),
    Secret(String),
    Other(String),
}

impl Failure {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Start(error) => error.exit_code(),
            Self::NoServer(_) => 69,
            Self::Locked(_) => 75,
            Self::NotAllowed(_) => 77,
            Self::Backup(error) => match error {
                BackupError::Damaged { .. } => 65,
                BackupError::Missing { .. } => 66,
                BackupError::Full { .. } => 74,
                BackupError::Stopped => 130,
                _ => 73,
            },
            Self::BotFile(error) => match error {
                BotFileError::Unreadable { .. } | BotFileError::NoneInFolder { .. } => 66,
                BotFileError::Unwritable { .. } => 73,
                BotFileError::SecretMissing
                | BotFileError::SecretIncorrect
                | BotFileError::SecretUnusable => 77,
                _ => 65,
            },
            Self::Secret(_) => 77,
            Self::Other(_) => 1,
        })
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Open(error) => Self::Start(error.into()),
            error => Self::Backup(error),
        }
    }
}

impl From<BotFileError> for Failure {
    fn from(error: BotFileError) -> Self {
        Self::BotFile(error)
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
            Self::Backup(error @ BackupError::Exists { .. }) => format!("{error} with --force"),
            Self::Backup(error @ BackupError::Missing { .. }) => format!("{error} with --database"),
            Self::Backup(error) => error.to_string(),
            Self::BotFile(error @ BotFileError::SecretMissing) => {
                format!("{error}: give it with --secret-file or botFileSecret")
            }
            Self::BotFile(error @ BotFileError::SecretUnusable) => {
                format!("{error}; --new-secret makes one")
            }
            Self::BotFile(error @ BotFileError::Encrypted) => {
                format!("{error}; to change its secret, decrypt it first")
            }
            Self::BotFile(error) => error.to_string(),
            Self::NoServer(message)
            | Self::NotAllowed(message)
            | Self::Locked(message)
            | Self::Secret(message)
            | Self::Other(message) => message.clone(),
        };
        // One line, whatever a database or an operating system says.
        f.write_str(&line.replace('\n', " "))
    }
}
