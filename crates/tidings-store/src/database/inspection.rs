use std::fmt;
use std::path::Path;

use rusqlite::Connection;

use super::options::Place;
use super::postgres::PostgresInspection;
use super::sqlite::SqliteInspection;
use super::{Database, DatabaseOptions, migrations};
use crate::{OpenError, StoreError, Tx};

/// What a look at a database found: [`Database::inspect`].
pub struct Inspection(Found);

enum Found {
    Sqlite(Box<SqliteInspection>),
    Postgres(Box<PostgresInspection>),
}

impl Database {
    /// Looks at a database as [`open`](Database::open) would, and changes nothing: it is not created, and its tables stay
    /// at their versions. A server may have it open; as long as the answer lives, none can newly open an SQLite file.
    ///
    /// # Errors
    /// [`OpenError`] for what would keep [`open`](Database::open) from opening it, but [`OpenError::Locked`].
    pub fn inspect(options: DatabaseOptions) -> Result<Inspection, OpenError> {
        let components = migrations::with_own(options.components)?;
        match options.place {
            Place::Path(path) => SqliteInspection::new(path, &components, options.busy_timeout)
                .map(|found| Inspection(Found::Sqlite(Box::new(found)))),
            Place::Server(url) => PostgresInspection::new(*url, &components, options.statement_timeout)
                .map(|found| Inspection(Found::Postgres(Box::new(found)))),
            Place::Temporary => Err(OpenError::Url {
                url: "a temporary database".to_owned(),
                reason: "there is nothing to look at before it is opened".to_owned(),
            }),
        }
    }
}

impl Inspection {
    /// The file; `None` for PostgreSQL.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Found::Sqlite(found) => Some(&found.path),
            Found::Postgres(_) => None,
        }
    }

    /// Where the database is, for people: as [`Database::location`].
    #[must_use]
    pub fn location(&self) -> String {
        match &self.0 {
            Found::Sqlite(found) => found.path.display().to_string(),
            Found::Postgres(found) => found.url.to_string(),
        }
    }

    /// Whether the file, or the tables in PostgreSQL, are there already; if not, they can be created.
    #[must_use]
    pub fn exists(&self) -> bool {
        match &self.0 {
            Found::Sqlite(found) => found.connection.is_some(),
            Found::Postgres(found) => found.exists(),
        }
    }

    /// Who has the database open, such as `process 4711`. PostgreSQL is for any number of nodes, so none is named.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        match &self.0 {
            Found::Sqlite(found) => found.holder.as_deref(),
            Found::Postgres(_) => None,
        }
    }

    /// Reads the database; `None` if it is not there yet. Its tables may be older than this program's. It blocks.
    ///
    /// # Errors
    /// The error of `work`.
    pub fn read<T: Send>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        match &self.0 {
            Found::Sqlite(found) => found
                .connection
                .as_ref()
                .map(|connection| work(&Tx::sqlite(connection)))
                .transpose(),
            Found::Postgres(found) => found.read(work),
        }
    }

    /// The connection to an SQLite file, to go on reading with while others may open the database.
    pub(super) fn into_connection(self) -> Option<Connection> {
        match self.0 {
            Found::Sqlite(found) => found.connection,
            Found::Postgres(_) => None,
        }
    }
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspection")
            .field("location", &self.location())
            .field("exists", &self.exists())
            .field("holder", &self.holder())
            .finish_non_exhaustive()
    }
}
