use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Batch, Committed, Document, DocumentChange, ETag, OpenError, Storage, StorageError, StoreError, Tx,
};

mod documents;
mod file;
mod inspection;
mod migrations;
mod options;
mod readers;
mod stats;
mod transaction;
mod worker;
mod writer;

pub use inspection::Inspection;
pub use migrations::Migrations;
pub use options::DatabaseOptions;
pub use stats::Stats;

use documents::EncodedChange;
use file::DatabaseFile;
use readers::Readers;
use stats::Counters;
use writer::{Message, Write, Writer};

/// Operations that may wait for the writer; further callers wait for a place.
const WRITE_QUEUE: usize = 1024;

/// One SQLite file, written by one thread and read by a few.
///
/// Writes that arrive while a commit runs share the next one (group commit, up to 256 operations); each is answered only
/// after the `COMMIT` that holds it is on the disk (write-ahead log, `synchronous=FULL`). Reads run beside the writer on
/// connections of their own and see what was committed before they began.
///
/// A handle is cheap to clone. While one lives in this process, the file is locked against every other process. When the
/// last handle is dropped, what was taken in is committed and the file closed before the drop returns; [`Database::close`]
/// does the same without blocking.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    components: Vec<&'static str>,
    /// `None` only while the last handle is being dropped.
    queue: Option<mpsc::Sender<Message>>,
    #[cfg(feature = "simulation")]
    simulated: Option<crate::simulation::Simulated>,
    readers: Arc<Readers>,
    counters: Arc<Counters>,
    /// Its sender lives on the writer thread and goes when everything is closed.
    finished: watch::Receiver<()>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Database {
    /// Opens the database, creates it if the file is not there, and brings its tables to the versions of the given
    /// components. It blocks for as long as that takes: call it at the start.
    ///
    /// # Errors
    /// [`OpenError`]; the tables in the file are then as they were.
    pub fn open(options: DatabaseOptions) -> Result<Database, OpenError> {
        let DatabaseOptions {
            place,
            components,
            max_pages,
            readers: reader_count,
            busy_timeout,
        } = options;
        let components = migrations::with_own(components)?;
        let file = DatabaseFile::acquire(place, busy_timeout)?;
        let connection = file.connect_writer(&components, max_pages)?;
        let counters = Arc::new(Counters::default());
        let readers = Arc::new(Readers::new());
        let (finish, finished) = watch::channel(());
        let (queue, messages) = mpsc::channel(WRITE_QUEUE);
        let path = file.path.clone();
        let reader_threads = readers::start(&readers, &counters, &file, reader_count)?;
        let writer = Writer {
            messages,
            counters: counters.clone(),
            readers: readers.clone(),
            reader_threads,
            finish,
        };
        let writer = writer::start(writer, connection, file)?;
        let shared = Shared {
            path,
            components: components.iter().map(|known| known.component).collect(),
            queue: Some(queue),
            #[cfg(feature = "simulation")]
            simulated: None,
            readers,
            counters,
            finished,
            writer: Some(writer),
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
            path: PathBuf::from(":memory:"),
            components,
            queue: None,
            simulated: Some(simulated),
            readers: Arc::new(Readers::new()),
            counters: Arc::default(),
            finished: watch::channel(()).1,
            writer: None,
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

    /// Runs `work` on the writer thread, inside the transaction of the next commit, and returns what it returned once
    /// that commit is durable.
    ///
    /// If `work` fails or panics, what it wrote is undone and no other operation notices. It must only execute
    /// statements: it must not begin, commit or roll back, nor wait
    /// for anything, and a deferred constraint that it violates fails everyone in that commit. Dropping the future does
    /// not recall an operation that was already taken in.
    ///
    /// # Errors
    /// The error of `work`; [`StoreError::Uncommitted`] if the commit failed; [`StoreError::Closed`].
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        #[cfg(feature = "simulation")]
        if let Some(simulated) = &self.shared.simulated {
            return simulated.run(crate::simulation::Access::Write, work).await;
        }
        let queue = self.shared.queue.as_ref().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let message = Message::Run(Box::new(Write::new(work, reply)), Handle::try_current().ok());
        queue.send(message).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
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
        #[cfg(feature = "simulation")]
        if let Some(simulated) = &self.shared.simulated {
            return simulated.run(crate::simulation::Access::Read, work).await;
        }
        self.shared.readers.read(work).await
    }

    /// Keeps a whole batch, or nothing of it: first the documents, each on the condition of its eTag, then the steps.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the document whose eTag did not match; otherwise as [`Database::write`].
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let Batch { documents, steps } = batch;
        let changes = documents
            .into_iter()
            .map(EncodedChange::new)
            .collect::<Result<Vec<_>, _>>()?;
        if changes.is_empty() && steps.is_empty() {
            return Ok(Committed::default());
        }
        self.write(move |tx| {
            let etags = documents::apply(tx, changes)?;
            for step in steps {
                step.write(tx)?;
            }
            Ok(Committed { etags })
        })
        .await
    }

    /// Takes in nothing more, commits what was taken in, closes the file and releases its lock. Other handles then
    /// answer [`StoreError::Closed`]. Closing twice is fine.
    pub async fn close(&self) {
        if let Some(queue) = &self.shared.queue {
            // A queue that is closed already needs no message.
            let _ = queue.send(Message::Close).await;
        }
        let mut finished = self.shared.finished.clone();
        while finished.changed().await.is_ok() {}
    }

    /// Counts since the database was opened.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Whether the database was opened with the tables of `component`, so that they are there.
    pub fn has_component(&self, component: &str) -> bool {
        self.shared.components.contains(&component)
    }

    /// The database file, with every symbolic link resolved.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }
}

/// A database of its own in memory, with its tables, and the names of its components.
#[cfg(feature = "simulation")]
pub(crate) fn open_in_memory(
    components: Vec<Migrations>,
) -> Result<(rusqlite::Connection, Vec<&'static str>), OpenError> {
    let path = Path::new(":memory:");
    let components = migrations::with_own(components)?;
    let open = || {
        let connection = rusqlite::Connection::open_in_memory()?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    };
    let mut connection = open().map_err(|error| OpenError::from_sqlite(path, error))?;
    migrations::run(&mut connection, path, &components)?;
    let names = components.iter().map(|known| known.component).collect();
    Ok((connection, names))
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue = None;
        // The last handle may have been captured by an operation: a thread cannot wait for itself.
        if let Some(writer) = self.writer.take()
            && !worker::is_current()
        {
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Storage for Database {
    async fn read(&self, keys: &[&str]) -> Result<HashMap<String, Document>, StorageError> {
        let keys = documents::checked_keys(keys)?;
        let rows = Database::read(self, move |tx| documents::find(tx, keys)).await?;
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
