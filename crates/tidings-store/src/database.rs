use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    Batch, Committed, Dialect, Document, DocumentChange, ETag, OpenError, Storage, StorageError, StoreError,
    Tx,
};

mod backup;
mod documents;
mod inspection;
mod migrations;
mod options;
mod postgres;
mod queue;
mod sqlite;
mod stats;
mod worker;

pub use backup::{Backup, BackupError, BackupProgress, BackupWatch};
pub use inspection::Inspection;
pub use migrations::Migrations;
pub use options::DatabaseOptions;
pub(crate) use postgres::PostgresTx;
pub use stats::Stats;

use documents::EncodedChange;
use options::Place;
use postgres::{Postgres, Threads};
use sqlite::{FileOptions, Sqlite};
use stats::Counters;

/// Where everything is kept: one SQLite file, or a PostgreSQL database that any number of nodes share.
///
/// **SQLite** is written by one thread. Writes that arrive while a commit runs share the next one (group commit, up to
/// 256 operations); each is answered only after the `COMMIT` that holds it is on the disk (write-ahead log,
/// `synchronous=FULL`). While a handle lives in this process, the file is locked against every other process.
///
/// **PostgreSQL** runs each write in a transaction of its own (`READ COMMITTED`), several at once, on threads with a
/// connection each. When the server goes away, operations fail, those after them wait up to five seconds for it, and
/// once it is back all works again.
///
/// Reads run beside the writers on connections of their own and see one state of the database, with everything that was
/// committed before they began.
///
/// A handle is cheap to clone. When the last one is dropped, what was taken in is committed and everything closed before
/// the drop returns; [`Database::close`] does the same without blocking.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    components: Vec<&'static str>,
    engine: Engine,
    counters: Arc<Counters>,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
    #[cfg(feature = "simulation")]
    Simulated(crate::simulation::Simulated),
}

impl Database {
    /// Opens the database, creates file or schema if they are not there, and brings its tables to the versions of the
    /// given components. It blocks for as long as that takes: call it at the start. Many nodes may open one PostgreSQL
    /// database at once.
    ///
    /// # Errors
    /// [`OpenError`]; the tables are then as they were.
    pub fn open(options: DatabaseOptions) -> Result<Database, OpenError> {
        let DatabaseOptions {
            place,
            components,
            max_pages,
            readers,
            writers,
            busy_timeout,
            statement_timeout,
        } = options;
        let components = migrations::with_own(components)?;
        let counters = Arc::new(Counters::default());
        let engine = match place {
            Place::Server(url) => {
                let threads = Threads {
                    writers,
                    readers,
                    statement_timeout,
                };
                let opened = Postgres::open(*url, &components, threads, &counters)?;
                Engine::Postgres(Box::new(opened))
            }
            place => {
                let options = FileOptions {
                    max_pages,
                    readers,
                    busy_timeout,
                };
                Engine::Sqlite(Sqlite::open(place, &components, options, &counters)?)
            }
        };
        let shared = Shared {
            components: components.iter().map(|known| known.component).collect(),
            engine,
            counters,
        };
        Ok(Database {
            shared: Arc::new(shared),
        })
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn on_simulation(
        simulated: crate::simulation::Simulated,
        components: Vec<&'static str>,
    ) -> Database {
        let shared = Shared {
            components,
            engine: Engine::Simulated(simulated),
            counters: Arc::default(),
        };
        Database {
            shared: Arc::new(shared),
        }
    }

    /// A database in a new folder of its own under the system's temporary folder, for tests. The folder goes with the
    /// last handle, so commits do not wait for the disk; all else is as in a database that stays.
    ///
    /// # Errors
    /// [`OpenError`] as [`Database::open`].
    pub fn temporary(components: impl IntoIterator<Item = Migrations>) -> Result<Database, OpenError> {
        let options = components
            .into_iter()
            .fold(DatabaseOptions::temporary(), DatabaseOptions::component);
        Database::open(options)
    }

    /// Runs `work` on a writer thread, inside a transaction, and returns what it returned once that is durable.
    ///
    /// If `work` fails or panics, what it wrote is undone and no other operation notices. It must only execute
    /// statements: it must not begin, commit or roll back, nor wait for anything, and on SQLite a deferred constraint that
    /// it violates fails everyone in that commit. On PostgreSQL a statement that failed fails the operation, even if
    /// `work` passes over it. Dropping the future does not recall an operation that was already taken in.
    ///
    /// Where several rows may be locked, prefer [`write_repeatable`](Self::write_repeatable): it repeats what collided.
    ///
    /// # Errors
    /// The error of `work`; [`StoreError::Retry`] if it collided with others; [`StoreError::Uncommitted`] if the commit
    /// failed; [`StoreError::Unknown`] if nobody knows whether it did; [`StoreError::Closed`].
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.write(work).await,
            Engine::Postgres(postgres) => postgres.write(work).await,
            #[cfg(feature = "simulation")]
            Engine::Simulated(simulated) => simulated.run(crate::simulation::Access::Write, work).await,
        }
    }

    /// As [`write`](Self::write), but runs `work` again, in a new transaction, when this one was undone because it collided
    /// with others: PostgreSQL ends one of those that wait for each other in a circle. Five times at most, at once, since
    /// those it gave way to hold what it wants, and it waits for them there. On SQLite nothing collides.
    ///
    /// What `work` does beside its statements has to stand being done again.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_repeatable<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &self.shared.engine {
            Engine::Postgres(postgres) => postgres.write_repeatable(work).await,
            _ => self.write(work).await,
        }
    }

    /// Runs `work` on a reader's connection, in a transaction of its own: all its statements see one state of the
    /// database, which holds everything committed before the call.
    ///
    /// # Errors
    /// The error of `work`, also when it tries to write; [`StoreError::Closed`].
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.read(work).await,
            Engine::Postgres(postgres) => postgres.read(work).await,
            #[cfg(feature = "simulation")]
            Engine::Simulated(simulated) => simulated.run(crate::simulation::Access::Read, work).await,
        }
    }

    /// Keeps a whole batch, or nothing of it: first the documents, each on the condition of its eTag, then the steps. If it
    /// collides with others it is tried again, as [`write_repeatable`](Self::write_repeatable) does.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the document whose eTag did not match; otherwise as [`Database::write`].
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let Batch { documents, mut steps } = batch;
        let changes = documents
            .into_iter()
            .map(EncodedChange::new)
            .collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() && steps.is_empty() {
            return Ok(Committed::default());
        }
        self.write_repeatable(move |tx| {
            let etags = documents::apply(tx, &changes)?;
            for step in &mut steps {
                step.write(tx)?;
            }
            Ok(Committed { etags })
        })
        .await
    }

    /// Takes in nothing more, commits what was taken in, closes file or connections, and releases the file's lock. Other
    /// handles then answer [`StoreError::Closed`]. Closing twice is fine.
    pub async fn close(&self) {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
            #[cfg(feature = "simulation")]
            Engine::Simulated(_) => {}
        }
    }

    /// Counts since the database was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Whether the database was opened with the tables of `component`, so that they are there.
    pub fn has_component(&self, component: &str) -> bool {
        self.shared.components.contains(&component)
    }

    /// Whose SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self.shared.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
            #[cfg(feature = "simulation")]
            Engine::Simulated(_) => Dialect::Sqlite,
        }
    }

    /// Whether other processes may have the database open at the same time.
    pub fn is_multi_node(&self) -> bool {
        self.dialect() == Dialect::Postgres
    }

    /// The database file, with every symbolic link resolved; `None` for PostgreSQL.
    pub fn path(&self) -> Option<&Path> {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => Some(sqlite.path()),
            Engine::Postgres(_) => None,
            #[cfg(feature = "simulation")]
            Engine::Simulated(_) => None,
        }
    }

    /// Where the database is, for people and logs: its file, or the URL of the server without user and password.
    pub fn location(&self) -> String {
        match &self.shared.engine {
            Engine::Sqlite(sqlite) => sqlite.path().display().to_string(),
            Engine::Postgres(postgres) => postgres.url().to_string(),
            #[cfg(feature = "simulation")]
            Engine::Simulated(_) => ":memory:".to_owned(),
        }
    }
}

/// A database of its own in memory, with its tables, and the names of its components.
#[cfg(feature = "simulation")]
pub(crate) fn open_in_memory(
    components: Vec<Migrations>,
) -> Result<(rusqlite::Connection, Vec<&'static str>), OpenError> {
    let components = migrations::with_own(components)?;
    let connection = sqlite::open_in_memory(&components)?;
    let names = components.iter().map(|known| known.component).collect();
    Ok((connection, names))
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("location", &self.location())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for Database {
    async fn read(&self, keys: &[&str]) -> Result<HashMap<String, Document>, StorageError> {
        let keys = documents::checked_keys(keys)?;
        let rows = Database::read(self, move |tx| documents::find(tx, &keys)).await?;
        documents::decode(rows)
    }

    async fn write(&self, changes: Vec<(String, Document)>) -> Result<Vec<(String, ETag)>, StorageError> {
        let documents = changes
            .into_iter()
            .map(|(key, document)| DocumentChange::Write { key, document })
            .collect();
        Ok(self
            .commit(Batch {
                documents,
                steps: Vec::new(),
            })
            .await?
            .etags)
    }

    async fn delete(&self, keys: &[&str]) -> Result<(), StorageError> {
        let documents = keys
            .iter()
            .map(|key| DocumentChange::Delete {
                key: (*key).to_owned(),
                etag: None,
            })
            .collect();
        self.commit(Batch {
            documents,
            steps: Vec::new(),
        })
        .await?;
        Ok(())
    }

    fn database(&self) -> Option<&Database> {
        Some(self)
    }
}
