use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::file::{DatabaseFile, is_in_writable_folder};
use super::options::Place;
use super::{Database, DatabaseOptions, migrations};
use crate::{OpenError, Tx};

/// What a look at a database found: [`Database::inspect`].
pub struct Inspection {
    path: PathBuf,
    holder: Option<String>,
    connection: Option<Connection>,
    /// Nobody may begin to write while the file is looked at. Dropped after the connection.
    _file: Option<DatabaseFile>,
}

impl Database {
    /// Looks at a database as [`open`](Database::open) would, and changes nothing: it is not created, and its tables stay
    /// at their versions. A server may have it open; as long as the answer lives, none can newly open it.
    ///
    /// # Errors
    /// [`OpenError`] for what would keep [`open`](Database::open) from opening it, but [`OpenError::Locked`].
    pub fn inspect(options: DatabaseOptions) -> Result<Inspection, OpenError> {
        let components = migrations::with_own(options.components)?;
        let Place::Path(path) = options.place else {
            return Err(OpenError::Url {
                url: "a temporary database".to_owned(),
                reason: "there is nothing to look at before it is opened",
            });
        };
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_in_writable_folder(&path)?;
                return Ok(Inspection {
                    path,
                    holder: None,
                    connection: None,
                    _file: None,
                });
            }
            _ => {}
        }
        let place = Place::Path(path.clone());
        let (file, holder) = match DatabaseFile::acquire(place, options.busy_timeout) {
            Ok(file) => (Some(file), None),
            Err(OpenError::Locked { holder, .. }) => (None, Some(holder)),
            Err(other) => return Err(other),
        };
        let connection = match &file {
            Some(file) => file.connect_to_inspect()?,
            // SQLite lets others read beside the server.
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(&path, flags)
                    .and_then(|connection| {
                        connection.busy_timeout(options.busy_timeout)?;
                        Ok(connection)
                    })
                    .map_err(|source| OpenError::from_sqlite(&path, source))?
            }
        };
        migrations::check(&connection, &path, &components)?;
        Ok(Inspection {
            path,
            holder,
            connection: Some(connection),
            _file: file,
        })
    }
}

impl Inspection {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is there already; if not, its folder takes a new one.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.connection.is_some()
    }

    /// Who has the database open, such as `process 4711`.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }

    /// What reads the database, if it is there. Its tables may be older than this program's.
    #[must_use]
    pub fn tx(&self) -> Option<Tx<'_>> {
        self.connection.as_ref().map(Tx::sqlite)
    }

    /// A connection to read with, if the file is there. Its tables may be older than this program's.
    #[must_use]
    pub fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The connection, to go on reading with while others may open the database.
    pub(super) fn into_connection(self) -> Option<Connection> {
        self.connection
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("path", &self.path)
            .field("exists", &self.exists())
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}
