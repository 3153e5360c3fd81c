//! Why the server did not start: one line that says what to do, and an exit code for it.

use std::net::SocketAddr;

use tidings_connector::jwt::AuthenticatorOptionsError;
use tidings_connector::{BuildError, CredentialsError};
use tidings_store::{OpenError, StoreError};

use crate::config::ConfigError;

/// Why the server did not start. Each message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What the bot would prove itself with is no credential.
    #[error(transparent)]
    Credential(#[from] CredentialsError),
    /// Tokens cannot be judged with these settings.
    #[error(transparent)]
    Authentication(#[from] AuthenticatorOptionsError),
    /// Local mode on an address that others can reach.
    #[error(
        "{0} can be reached from other machines, but nothing is authenticated in local mode: \
         listen on 127.0.0.1:{port} or [::1]:{port}, or set MicrosoftAppId and MicrosoftAppPassword and make an API key \
         with `tidings keys create` first",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// An address that others can reach, and no key that opens the API.
    #[error(
        "{0} can be reached from other machines, and there is no API key yet that opens its API: make one with \
         `tidings keys create --scope jobs:read --scope jobs:write`, then `tidings serve` again; \
         or listen on 127.0.0.1:{port}",
        port = .0.port()
    )]
    NoKey(SocketAddr),
    /// Somebody else listens there.
    #[error(
        "{0} is taken: stop the program that listens there, or listen elsewhere \
         (--listen 127.0.0.1:{other}, or --listen 127.0.0.1:0 for any free port)",
        other = .0.port().checked_add(1).unwrap_or(3978)
    )]
    AddressTaken(SocketAddr),
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address} ({source}): choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database was opened and failed then.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The HTTP client for sending to channels cannot be built.
    #[error("the client for sending to channels cannot be built: {0}")]
    Connector(#[from] BuildError),
    /// The bot cannot be put together.
    #[error("the bot cannot be started: {0}")]
    Bot(String),
    /// The operating system refuses to tell when to stop.
    #[error("SIGTERM and SIGINT cannot be awaited: {0}")]
    Signals(std::io::Error),
}

impl StartError {
    /// The exit code for a process that ends with this error, in the manner of `sysexits.h`: 65 the database is none
    /// that this version can use, 69 the address cannot be listened on or the database's server does not answer, 73 the
    /// database cannot be written or read, 74 disk full or input/output error, 75 the database is locked, 77 its server
    /// does not let the user in, 78 wrong configuration, 1 anything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Credential(_)
            | Self::Authentication(_)
            | Self::NotLoopback(_)
            | Self::NoKey(_)
            | Self::Connector(_) => 78,
            Self::AddressTaken(_) | Self::Listen { .. } => 69,
            Self::Database(error) => match error {
                OpenError::Url { .. }
                | OpenError::NoSuchDatabase { .. }
                | OpenError::Tls { .. }
                | OpenError::ForeignSchema { .. }
                | OpenError::NotForPostgres { .. } => 78,
                OpenError::Unreachable { .. } => 69,
                OpenError::LoginRefused { .. } => 77,
                OpenError::NotADatabase { .. }
                | OpenError::Foreign { .. }
                | OpenError::Corrupt { .. }
                | OpenError::NewerDatabase { .. }
                | OpenError::UnknownComponent { .. }
                | OpenError::ServerTooOld { .. }
                | OpenError::Encoding { .. }
                | OpenError::Migration { .. } => 65,
                OpenError::FolderMissing { .. }
                | OpenError::Unwritable { .. }
                | OpenError::Unreadable { .. }
                | OpenError::Standby { .. } => 73,
                OpenError::Locked { .. } | OpenError::Busy { .. } => 75,
                _ => 74,
            },
            Self::Store(_) => 74,
            Self::Bot(_) | Self::Signals(_) => 1,
        }
    }
}
