use std::error::Error;
use std::sync::Arc;

use crate::PostgresError;

use rusqlite::ErrorCode;

/// An engine's own words, shared.
type Cause = Arc<dyn Error + Send + Sync>;

/// Why an operation on a [`Storage`](crate::Storage) or a [`Database`](crate::Database) failed. Nothing of a failed
/// operation is kept; of [`StoreError::Unknown`] alone nobody knows.
///
/// [`StoreError::kind`] is for decisions, the text (one line that says what to do) for people. Cloning is cheap.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The eTag of a change is not the eTag of the document.
    #[error("document {key:?} was changed or deleted since it was read: read it again and repeat the change")]
    Conflict {
        /// The key of the document.
        key: String,
    },
    /// The key cannot be kept by every backend.
    #[error("{key:?} is not a valid storage key: {reason}; choose another key")]
    InvalidKey {
        /// The beginning of the key.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A text holds the NUL character, which PostgreSQL cannot keep, so no engine does. In JSON it is escaped, and fine.
    #[error("a text with the NUL character cannot be kept or looked for: leave the character out")]
    NulCharacter,
    /// The document is beyond a limit.
    #[error("document {key:?} is too large: {reason}; keep less in it or split it")]
    TooLarge {
        /// The beginning of the key.
        key: String,
        /// Which limit it is beyond.
        reason: &'static str,
    },
    /// What is stored under the key is not a JSON object.
    #[error("document {key:?} in the database is not a JSON object: restore it from a backup or delete it")]
    BadDocument {
        /// The key of the document.
        key: String,
        /// What the reader stumbled over.
        source: Arc<serde_json::Error>,
    },
    /// The disk, or the page limit of the database, is exhausted.
    #[error("the database is full: free disk space or raise its page limit, then try again")]
    Full {
        /// The engine's words.
        source: Cause,
    },
    /// Others keep the database from answering: another program holds SQLite's write lock, a statement took longer than
    /// PostgreSQL lets it.
    #[error(
        "the database is busy ({source}): another program or operation has kept it locked for seconds; end that \
         program, then try again"
    )]
    Busy {
        /// The engine's words.
        source: Cause,
    },
    /// The database server cannot be reached, or went away in the middle of the operation.
    #[error("the database at {server} is gone: {reason}; it is tried again with the next operation")]
    Gone {
        /// Where the server is.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The database server went away while it committed.
    #[error(
        "the database at {server} went away during a commit: nobody knows whether it was kept; look before you repeat it"
    )]
    Unknown {
        /// Where the server is.
        server: String,
    },
    /// The operation collided with others, and the engine chose it to give way.
    #[error("the operation gave way to others ({source}): nothing of it was kept, repeat it")]
    Retry {
        /// The engine's words.
        source: Cause,
    },
    /// Reading or writing the file failed below the engine.
    #[error(
        "the disk failed under the database ({source}): check the disk and its permissions, then try again"
    )]
    Io {
        /// The engine's words.
        source: Cause,
    },
    /// The file is damaged.
    #[error("the database is damaged ({source}): stop the server and restore it from a backup")]
    Corrupt {
        /// The engine's words.
        source: Cause,
    },
    /// The database was closed before the operation was taken in.
    #[error("the database is closed: open it again before using it")]
    Closed,
    /// The operation's own code panicked; it was undone.
    #[error(
        "a database operation panicked and was undone ({message}): this is a defect in the operation, report it"
    )]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The transaction that the operation shared with others could not be committed, so none of them was kept. (If the
    /// disk failed at the commit itself and the machine crashes next, SQLite may still find it complete.)
    #[error("the transaction holding this operation was not committed, nothing of it was kept: {cause}")]
    Uncommitted {
        /// Why the transaction failed.
        #[source]
        cause: Box<StoreError>,
    },
    /// Any other failure of SQLite: a constraint, an error in a statement.
    #[error("a database statement failed: {0}")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// Any other failure of PostgreSQL: a constraint, an error in a statement.
    #[error("a database statement failed: {0}")]
    Postgres(#[source] Arc<PostgresError>),
    /// Any other failure.
    #[error("{0}")]
    Other(#[source] Arc<dyn Error + Send + Sync>),
}

/// The name of [`StoreError`] where a [`Storage`](crate::Storage) backend is meant: one error for both.
pub type StorageError = StoreError;

/// What a failure means to the program. [`StoreError::Uncommitted`] has the kind of its cause if that concerns the whole
/// database, such as [`Full`](StoreErrorKind::Full).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Someone else changed the document: read again.
    Conflict,
    /// The caller asked for something that cannot be kept: an invalid key, too large a document, a NUL character.
    Invalid,
    /// Disk or page limit exhausted: free space.
    Full,
    /// Locked by another program, overloaded, or out of reach: try later. Nothing was kept.
    Busy,
    /// Collided with other operations: repeat it. Nothing was kept.
    Retry,
    /// The commit was on its way when the database went: it was kept or not.
    Unknown,
    /// The disk failed.
    Io,
    /// The stored data is damaged.
    Corrupt,
    /// The database was closed.
    Closed,
    /// A defect in the operation.
    Panicked,
    /// Anything else, such as a violated constraint.
    Other,
}

impl StoreError {
    /// What the failure means to the program.
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            StoreError::Conflict { .. } => StoreErrorKind::Conflict,
            StoreError::InvalidKey { .. } | StoreError::NulCharacter | StoreError::TooLarge { .. } => {
                StoreErrorKind::Invalid
            }
            StoreError::Full { .. } => StoreErrorKind::Full,
            StoreError::Busy { .. } | StoreError::Gone { .. } => StoreErrorKind::Busy,
            StoreError::Retry { .. } => StoreErrorKind::Retry,
            StoreError::Unknown { .. } => StoreErrorKind::Unknown,
            StoreError::Io { .. } => StoreErrorKind::Io,
            StoreError::Corrupt { .. } | StoreError::BadDocument { .. } => StoreErrorKind::Corrupt,
            StoreError::Closed => StoreErrorKind::Closed,
            StoreError::Panicked { .. } => StoreErrorKind::Panicked,
            StoreError::Uncommitted { cause } => match cause.kind() {
                // Anything else was the neighbour's own affair, a conflict above all.
                StoreErrorKind::Conflict
                | StoreErrorKind::Invalid
                | StoreErrorKind::Panicked
                | StoreErrorKind::Closed
                | StoreErrorKind::Other => StoreErrorKind::Other,
                shared => shared,
            },
            StoreError::Sqlite(_) | StoreError::Postgres(_) | StoreError::Other(_) => StoreErrorKind::Other,
        }
    }

    /// True if a document was changed by someone else.
    pub fn is_conflict(&self) -> bool {
        self.kind() == StoreErrorKind::Conflict
    }

    /// Wraps an error of another library.
    pub fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Other(Arc::from(source.into()))
    }

    /// An error that is only a sentence.
    pub fn message(sentence: impl Into<String>) -> StoreError {
        StoreError::other(sentence.into())
    }

    /// The error of an operation whose shared transaction failed with `self`.
    pub(crate) fn uncommitted(self) -> StoreError {
        match self {
            StoreError::Uncommitted { .. } => self,
            cause => StoreError::Uncommitted {
                cause: Box::new(cause),
            },
        }
    }
}

impl From<PostgresError> for StoreError {
    fn from(error: PostgresError) -> StoreError {
        let error = Arc::new(error);
        let source = error.clone();
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match error.code() {
            "53100" => StoreError::Full { source },
            // Collisions; and a statement prepared before another node changed its tables.
            "40001" | "40P01" => StoreError::Retry { source },
            _ if error.is_stale_statement() => StoreError::Retry { source },
            // Time limits, locks, and too little memory.
            "57014" | "55P03" | "53000" | "53200" | "53400" => StoreError::Busy { source },
            "58030" | "58P01" => StoreError::Io { source },
            "XX001" | "XX002" => StoreError::Corrupt { source },
            _ => StoreError::Postgres(error),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        let code = error.sqlite_error_code();
        let error = Arc::new(error);
        let source = error.clone();
        match code {
            Some(ErrorCode::DiskFull) => StoreError::Full { source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { source },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                StoreError::Io { source }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { source },
            _ => StoreError::Sqlite(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn sqlite(code: std::ffi::c_int) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn sqlite_errors_are_told_apart_by_what_to_do() {
        for (code, kind) in [
            (ffi::SQLITE_FULL, StoreErrorKind::Full),
            (ffi::SQLITE_BUSY, StoreErrorKind::Busy),
            (ffi::SQLITE_BUSY_SNAPSHOT, StoreErrorKind::Busy),
            (ffi::SQLITE_LOCKED, StoreErrorKind::Busy),
            (ffi::SQLITE_IOERR_FSYNC, StoreErrorKind::Io),
            (ffi::SQLITE_CANTOPEN, StoreErrorKind::Io),
            (ffi::SQLITE_CORRUPT, StoreErrorKind::Corrupt),
            (ffi::SQLITE_NOTADB, StoreErrorKind::Corrupt),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, StoreErrorKind::Other),
            (ffi::SQLITE_ERROR, StoreErrorKind::Other),
        ] {
            let error = sqlite(code);
            assert_eq!(error.kind(), kind, "{error}");
            assert!(
                !error.to_string().contains('\n') && error.to_string().contains(':'),
                "{error}"
            );
        }
    }

    #[test]
    fn postgres_errors_are_told_apart_by_what_to_do() {
        for (code, kind) in [
            ("53100", StoreErrorKind::Full),
            ("57014", StoreErrorKind::Busy),
            ("55P03", StoreErrorKind::Busy),
            ("40001", StoreErrorKind::Retry),
            ("40P01", StoreErrorKind::Retry),
            ("58030", StoreErrorKind::Io),
            ("XX001", StoreErrorKind::Corrupt),
            ("23505", StoreErrorKind::Other),
            ("42601", StoreErrorKind::Other),
        ] {
            let error = StoreError::from(PostgresError::new(code, "what the server says"));
            assert_eq!(error.kind(), kind, "{error}");
            let text = error.to_string();
            assert!(!text.contains('\n') && text.contains(':'), "{text}");
            assert_eq!(
                StoreError::from(PostgresError::new(code, ""))
                    .uncommitted()
                    .kind(),
                kind,
                "{error}"
            );
        }
    }

    #[test]
    fn a_lost_transaction_is_not_the_neighbours_conflict() {
        let conflict = StoreError::Conflict {
            key: "key".to_owned(),
        };
        assert!(conflict.is_conflict());
        let uncommitted = conflict.uncommitted();
        assert!(!uncommitted.is_conflict());
        assert_eq!(
            sqlite(ffi::SQLITE_FULL).uncommitted().kind(),
            StoreErrorKind::Full
        );
        // However often it is passed on, it is said once.
        assert_eq!(
            uncommitted.to_string(),
            uncommitted.clone().uncommitted().to_string()
        );
    }

    #[test]
    fn sources_are_kept_for_whoever_prints_them() {
        let error = StoreError::other("disk on fire".parse::<u8>().unwrap_err());
        assert_eq!(error.to_string(), "invalid digit found in string");
        assert!(sqlite(ffi::SQLITE_FULL).source().is_some());
    }
}
