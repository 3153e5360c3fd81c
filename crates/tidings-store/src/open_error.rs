use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::PostgresError;

/// Why a [`Database`](crate::Database) could not be opened. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database URL is not one this version serves.
    #[error(
        "database {url:?} cannot be used: {reason}; write sqlite:///folder/tidings.db, a path, or \
         postgres://user@host/database"
    )]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder that should hold the database does not exist.
    #[error("the folder {folder:?} for the database does not exist: create it or choose another database")]
    FolderMissing {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder or the file does not let this process write.
    #[error("{path:?} is not writable ({source}): change its permissions or choose another database")]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// The system's or SQLite's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file cannot be read.
    #[error("database {path:?} cannot be read ({source}): check the path and its permissions")]
    Unreadable {
        /// The database file.
        path: PathBuf,
        /// The system's or SQLite's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process has the database open.
    #[error("database {path:?} is in use by {holder}: stop that server or choose another database")]
    Locked {
        /// The database file.
        path: PathBuf,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// Another program holds SQLite's own lock on the file.
    #[error(
        "database {path:?} is busy: end the program that keeps it locked (an SQLite shell?), then start again"
    )]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// The file is something else than an SQLite database.
    #[error("{path:?} is not an SQLite database: choose another database, or move that file away")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is an SQLite database of another program.
    #[error("{path:?} is an SQLite database of another program: choose another database")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is a damaged database.
    #[error("database {path:?} is damaged ({source}): restore it from a backup")]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// A newer version of the program has written the database.
    #[error(
        "database {database:?} is newer than this program ({component} has version {found}, known is up to {known}): \
         use the newer program, or restore a backup"
    )]
    NewerDatabase {
        /// The file, or where the server is.
        database: String,
        /// The component whose tables are newer.
        component: String,
        /// The version in the database.
        found: u32,
        /// The latest version this program knows.
        known: u32,
    },
    /// The database holds tables of a component this program does not have.
    #[error(
        "database {database:?} holds {component:?}, which this program does not know: use the program that wrote it, or \
         choose another database"
    )]
    UnknownComponent {
        /// The file, or where the server is.
        database: String,
        /// The component's name in the database.
        component: String,
    },
    /// Two components of the program have one name.
    #[error("two components named {component:?} were given to the database: give each its own name")]
    DuplicateComponent {
        /// The name.
        component: &'static str,
    },
    /// A step to a newer version of the tables failed; the tables are as they were.
    #[error(
        "database {database:?} could not be brought to {component} version {version} ({source}): it is unchanged, \
         report this"
    )]
    Migration {
        /// The file, or where the server is.
        database: String,
        /// The component.
        component: &'static str,
        /// The version that could not be reached.
        version: u32,
        /// The engine's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no room for the database.
    #[error("there is no room for database {database:?}: free disk space or raise its page limit")]
    Full {
        /// The file, or where the server is.
        database: String,
    },
    /// The file system cannot carry a write-ahead log.
    #[error("database {path:?} cannot use a write-ahead log (got {mode:?}): put it on a local disk")]
    NoWriteAheadLog {
        /// The database file.
        path: PathBuf,
        /// The journal mode SQLite fell back to.
        mode: String,
    },
    /// The database server does not answer.
    #[error(
        "the PostgreSQL server at {server} cannot be reached ({source}): start it, or check host and port of the \
         database's URL"
    )]
    Unreachable {
        /// Where the server is.
        server: String,
        /// The system's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database server does not know the user, or not with this password.
    #[error(
        "the PostgreSQL server at {server} does not let {user:?} in ({source}): check user and password of the \
         database's URL, or PGPASSWORD"
    )]
    LoginRefused {
        /// Where the server is.
        server: String,
        /// Who wanted in.
        user: String,
        /// The server's words.
        source: PostgresError,
    },
    /// The database server has no such database.
    #[error("the PostgreSQL server at {server} has no database {name:?}: create it with `createdb {name}`")]
    NoSuchDatabase {
        /// Where the server is.
        server: String,
        /// The database's name.
        name: String,
    },
    /// The database server is of a version that is not served.
    #[error("the PostgreSQL server at {server} has version {version}: 15 or newer is needed")]
    ServerTooOld {
        /// Where the server is.
        server: String,
        /// Its version.
        version: String,
    },
    /// The connection to the database server could not be encrypted.
    #[error(
        "no encrypted connection to the PostgreSQL server at {server} ({source}): check its certificate, name its \
         authority with sslrootcert, or choose another sslmode in the database's URL"
    )]
    Tls {
        /// Where the server is.
        server: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database cannot hold every text.
    #[error(
        "the database at {server} has the encoding {encoding}: create one with `createdb --encoding UTF8 --template \
         template0`"
    )]
    Encoding {
        /// Where the server is.
        server: String,
        /// Its encoding.
        encoding: String,
    },
    /// The database server only lets read.
    #[error(
        "the PostgreSQL server at {server} is a read-only standby: name the primary server in the database's URL"
    )]
    Standby {
        /// Where the server is.
        server: String,
    },
    /// The schema holds tables of another program.
    #[error(
        "the schema {schema:?} at {server} belongs to another program: choose another one with schema= in the URL"
    )]
    ForeignSchema {
        /// Where the server is.
        server: String,
        /// The schema.
        schema: String,
    },
    /// A component cannot be kept in PostgreSQL.
    #[error("component {component:?} has no tables for PostgreSQL: use an SQLite database")]
    NotForPostgres {
        /// The component.
        component: &'static str,
    },
    /// Any other failure of PostgreSQL.
    #[error("the database at {server} could not be opened ({source}): check the server and its log")]
    Postgres {
        /// Where the server is.
        server: String,
        /// The server's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A thread could not be started.
    #[error(
        "no thread could be started for database {database:?} ({source}): raise the process's thread limit"
    )]
    Thread {
        /// The file, or where the server is.
        database: String,
        /// The system's words.
        source: io::Error,
    },
    /// Any other failure of SQLite.
    #[error("database {path:?} could not be opened ({source}): check the file and its disk")]
    Other {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// What SQLite's error at opening means.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> OpenError {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, source },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy { path },
            Some(ErrorCode::DiskFull) => OpenError::Full {
                database: path.display().to_string(),
            },
            Some(ErrorCode::ReadOnly) => OpenError::Unwritable {
                path,
                source: source.into(),
            },
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => {
                OpenError::Unreadable {
                    path,
                    source: source.into(),
                }
            }
            _ => OpenError::Other { path, source },
        }
    }

    /// What the system's error at creating `path` means.
    pub(crate) fn from_create(path: &Path, source: io::Error) -> OpenError {
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => OpenError::FolderMissing {
                folder: folder_of(path),
            },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenError::Unwritable {
                path: folder_of(path),
                source: source.into(),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full {
                database: path.display().to_string(),
            },
            _ => OpenError::Unreadable {
                path: path.to_owned(),
                source: source.into(),
            },
        }
    }
}

/// The folder that holds `path`; `.` for a bare file name.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_int;

    use rusqlite::ffi;

    use super::*;

    #[test]
    fn sqlite_errors_at_opening_say_what_to_do() {
        let text = |code: c_int| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            OpenError::from_sqlite(Path::new("/data/tidings.db"), error).to_string()
        };
        for (code, advice) in [
            (ffi::SQLITE_NOTADB, "choose another database"),
            (ffi::SQLITE_CORRUPT, "restore it from a backup"),
            (ffi::SQLITE_BUSY, "end the program"),
            (ffi::SQLITE_FULL, "free disk space"),
            (ffi::SQLITE_READONLY, "change its permissions"),
            (ffi::SQLITE_CANTOPEN, "check the path and its permissions"),
            (ffi::SQLITE_IOERR_READ, "check the path"),
            (ffi::SQLITE_MISUSE, "check the file and its disk"),
        ] {
            let text = text(code);
            assert!(
                text.contains(advice) && text.contains("\"/data/tidings.db\"") && !text.contains('\n'),
                "{text}"
            );
        }
    }

    #[test]
    fn system_errors_at_creating_name_the_folder() {
        let text = |kind: io::ErrorKind, path: &str| {
            OpenError::from_create(Path::new(path), kind.into()).to_string()
        };
        assert!(text(io::ErrorKind::NotFound, "/data/tidings.db").starts_with("the folder \"/data\""));
        assert!(text(io::ErrorKind::NotFound, "tidings.db").starts_with("the folder \".\""));
        assert!(
            text(io::ErrorKind::ReadOnlyFilesystem, "/data/tidings.db")
                .starts_with("\"/data\" is not writable")
        );
        assert!(text(io::ErrorKind::StorageFull, "/data/tidings.db").contains("no room"));
        assert!(text(io::ErrorKind::InvalidFilename, "/data/tidings.db").contains("cannot be read"));
    }
}
