use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::file::DatabaseFile;
use crate::database::queue::Queue;
use crate::database::stats::Counters;
use crate::database::worker;
use crate::{OpenError, StoreError, Tx};

/// Reads that may wait for a reader.
const READ_QUEUE: usize = 1024;

/// A read, answered by its own code.
type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The queue in front of the readers, each of which is a thread with a connection.
pub(super) struct Readers(Queue<Job>);

impl Readers {
    pub(super) fn new() -> Readers {
        Readers(Queue::new(READ_QUEUE))
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move |connection: &Connection| {
            // Nobody waits any more: a read leaves nothing behind, so it need not run.
            if !reply.is_closed() {
                let _ = reply.send(worker::guarded(|| in_snapshot(connection, work)));
            }
        });
        self.0.push(job).await?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Takes in nothing more; the readers finish what waits.
    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// Runs `work` in a transaction, so that all its statements see one state of the database.
fn in_snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let result = worker::guarded(|| work(&Tx::sqlite(connection)));
    if !connection.is_autocommit() {
        connection.prepare_cached("ROLLBACK")?.execute([])?;
    }
    result
}

pub(super) fn start(
    readers: &Arc<Readers>,
    counters: &Arc<Counters>,
    file: &DatabaseFile,
    count: usize,
) -> Result<Vec<JoinHandle<()>>, OpenError> {
    let mut threads = Vec::with_capacity(count);
    for number in 0..count {
        let started = file.connect_reader().and_then(|connection| {
            let (readers, counters) = (readers.clone(), counters.clone());
            let work = move || {
                while let Some(job) = readers.0.next() {
                    counters.read();
                    // Beyond the read's own panic: a value nobody waits for may panic as it is dropped.
                    let _ = worker::guarded(|| {
                        job(&connection);
                        Ok(())
                    });
                }
            };
            worker::spawn(&format!("tidings-read-{number}"), &file.name(), work)
        });
        match started {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                readers.close();
                return Err(error);
            }
        }
    }
    Ok(threads)
}
