use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::file::{DatabaseFile, is_in_writable_folder};
use super::migrations;
use crate::database::options::Place;
use crate::{Migrations, OpenError};

/// A look at an SQLite database.
pub(in crate::database) struct SqliteInspection {
    pub(in crate::database) path: PathBuf,
    pub(in crate::database) holder: Option<String>,
    pub(in crate::database) connection: Option<Connection>,
    /// Nobody may begin to write while the file is looked at. Dropped after the connection.
    _file: Option<DatabaseFile>,
}

impl SqliteInspection {
    pub(in crate::database) fn new(
        path: PathBuf,
        components: &[Migrations],
        busy_timeout: Duration,
    ) -> Result<SqliteInspection, OpenError> {
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                is_in_writable_folder(&path)?;
                return Ok(SqliteInspection {
                    path,
                    holder: None,
                    connection: None,
                    _file: None,
                });
            }
            _ => {}
        }
        let (file, holder) = match DatabaseFile::acquire(Place::Path(path.clone()), busy_timeout) {
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
                        connection.busy_timeout(busy_timeout)?;
                        Ok(connection)
                    })
                    .map_err(|source| OpenError::from_sqlite(&path, source))?
            }
        };
        migrations::check(&connection, &path, components)?;
        Ok(SqliteInspection {
            path,
            holder,
            connection: Some(connection),
            _file: file,
        })
    }
}
