//! SQLite: one file, one thread that writes, a few that read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::options::Place;
use super::stats::Counters;
use super::{Migrations, worker};
use crate::{OpenError, StoreError, Tx};

mod file;
mod inspection;
mod migrations;
mod readers;
mod transaction;
mod writer;

pub(super) use file::private;
pub(super) use inspection::SqliteInspection;

use file::DatabaseFile;
use readers::Readers;
use writer::{Message, Write, Writer};

/// Operations that may wait for the writer; further callers wait for a place.
const WRITE_QUEUE: usize = 1024;

/// What an SQLite database is opened with.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileOptions {
    pub(super) max_pages: Option<u32>,
    pub(super) readers: usize,
    pub(super) busy_timeout: Duration,
}

/// A database in memory, with its tables, for simulations.
#[cfg(feature = "simulation")]
pub(super) fn open_in_memory(components: &[Migrations]) -> Result<rusqlite::Connection, OpenError> {
    let path = Path::new(":memory:");
    let open = || {
        let connection = rusqlite::Connection::open_in_memory()?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    };
    let mut connection = open().map_err(|error| OpenError::from_sqlite(path, error))?;
    migrations::run(&mut connection, path, components)?;
    Ok(connection)
}

/// An SQLite database that is open.
pub(super) struct Sqlite {
    path: PathBuf,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Message>>,
    readers: Arc<Readers>,
    /// Its sender lives on the writer thread and goes when everything is closed.
    finished: watch::Receiver<()>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Sqlite {
    pub(super) fn open(
        place: Place,
        components: &[Migrations],
        options: FileOptions,
        counters: &Arc<Counters>,
    ) -> Result<Sqlite, OpenError> {
        let file = DatabaseFile::acquire(place, options.busy_timeout)?;
        let connection = file.connect_writer(components, options.max_pages)?;
        let readers = Arc::new(Readers::new());
        let (finish, finished) = watch::channel(());
        let (queue, messages) = mpsc::channel(WRITE_QUEUE);
        let path = file.path.clone();
        let reader_threads = readers::start(&readers, counters, &file, options.readers)?;
        let writer = Writer {
            messages,
            counters: counters.clone(),
            readers: readers.clone(),
            reader_threads,
            finish,
        };
        let writer = writer::start(writer, connection, file)?;
        Ok(Sqlite {
            path,
            queue: Some(queue),
            readers,
            finished,
            writer: Some(writer),
        })
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let message = Message::Run(Box::new(Write::new(work, reply)), Handle::try_current().ok());
        queue.send(message).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.readers.read(work).await
    }

    pub(super) async fn close(&self) {
        if let Some(queue) = &self.queue {
            // A queue that is closed already needs no message.
            let _ = queue.send(Message::Close).await;
        }
        let mut finished = self.finished.clone();
        while finished.changed().await.is_ok() {}
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Sqlite {
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
