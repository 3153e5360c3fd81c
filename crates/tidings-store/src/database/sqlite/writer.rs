use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use super::file::DatabaseFile;
use super::readers::Readers;
use super::transaction::Transaction;
use crate::database::stats::Counters;
use crate::database::worker;
use crate::{OpenError, StoreError, Tx};

/// The most operations that share one commit.
const BATCH: usize = 256;

pub(super) enum Message {
    /// An operation, and the runtime on which its caller waits.
    Run(Box<dyn Operation>, Option<Handle>),
    Close,
}

/// A caller's operation: run inside the transaction, answered after it.
pub(super) trait Operation: Send {
    /// Runs the operation and keeps what it returned.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Replaces what the operation returned by `error`.
    fn fail(&mut self, error: StoreError);
    /// Gives the result to the caller.
    fn answer(self: Box<Self>);
}

/// The operation of [`Database::write`](crate::Database::write).
pub(super) struct Write<F, T> {
    work: Option<F>,
    result: Result<T, StoreError>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Write<F, T> {
    pub(super) fn new(work: F, reply: oneshot::Sender<Result<T, StoreError>>) -> Write<F, T> {
        Write {
            work: Some(work),
            result: Err(StoreError::Closed),
            reply,
        }
    }
}

impl<F, T> Operation for Write<F, T>
where
    F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if let Some(work) = self.work.take() {
            self.result = worker::guarded(|| work(&Tx::sqlite(connection)));
        }
        self.result.as_ref().map(|_| ()).map_err(StoreError::clone)
    }

    fn fail(&mut self, error: StoreError) {
        self.result = Err(error);
    }

    fn answer(self: Box<Self>) {
        // A caller that gave up has undone nothing: its operation was kept or failed like any other.
        let _ = self.reply.send(self.result);
    }
}

/// Results on their way to their callers; given at the latest when this is dropped.
struct Answers(Vec<Box<dyn Operation>>);

impl Answers {
    /// To wake a runtime from another thread costs a system call. So many callers are answered from within, by one
    /// task; a runtime that has ended drops that task, which answers them too.
    fn give(self, runtime: Option<Handle>) {
        if let Some(runtime) = runtime
            && self.0.len() > 1
        {
            runtime.spawn(async move { drop(self) });
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for operation in self.0.drain(..) {
            // The caller's value may panic as it is dropped.
            let _ = worker::guarded(|| {
                operation.answer();
                Ok(())
            });
        }
    }
}

/// What the writer thread owns beside its connection and the file.
pub(super) struct Writer {
    pub(super) messages: mpsc::Receiver<Message>,
    pub(super) counters: Arc<Counters>,
    pub(super) readers: Arc<Readers>,
    pub(super) reader_threads: Vec<JoinHandle<()>>,
    pub(super) finish: watch::Sender<()>,
}

pub(super) fn start(
    mut writer: Writer,
    connection: Connection,
    file: DatabaseFile,
) -> Result<JoinHandle<()>, OpenError> {
    let path: PathBuf = file.path.clone();
    let (prepared, ready) = std::sync::mpsc::sync_channel(1);
    let readers = writer.readers.clone();
    let thread = worker::spawn("tidings-write", &file.name(), move || {
        match Transaction::prepare(&connection) {
            Ok(transaction) => {
                let _ = prepared.send(Ok(()));
                writer.run(transaction);
            }
            Err(error) => {
                let _ = prepared.send(Err(error));
            }
        }
        writer.finish(connection, file);
    });
    let prepared = thread.and_then(|thread| match ready.recv() {
        Ok(Err(error)) => Err(OpenError::from_sqlite(&path, error)),
        Ok(Ok(())) | Err(_) => Ok(thread),
    });
    if prepared.is_err() {
        readers.close();
    }
    prepared
}

impl Writer {
    fn run(&mut self, mut transaction: Transaction<'_>) {
        let mut messages = Vec::with_capacity(BATCH);
        while self.messages.blocking_recv_many(&mut messages, BATCH) > 0 {
            let mut operations = Vec::with_capacity(messages.len());
            let mut runtime = None;
            for message in messages.drain(..) {
                match message {
                    Message::Run(operation, waiting_on) => {
                        operations.push(operation);
                        runtime = runtime.or(waiting_on);
                    }
                    // What was taken in before the queue closed still arrives.
                    Message::Close => self.messages.close(),
                }
            }
            let committed = transaction.run(&mut operations);
            self.counters.ran(operations.len(), committed);
            Answers(operations).give(runtime);
        }
    }

    /// Closes in the order that leaves one checkpointed file: readers, writer, lock; then tells whoever waits.
    fn finish(self, connection: Connection, file: DatabaseFile) {
        self.readers.close();
        for thread in self.reader_threads {
            let _ = thread.join();
        }
        if let Err((_, error)) = connection.close() {
            tracing::warn!(database.path = %file.path.display(), error = %error, "the database did not close cleanly; the next start recovers it");
        }
        drop(file);
        drop(self.finish);
    }
}
