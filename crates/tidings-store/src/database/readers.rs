use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::file::DatabaseFile;
use super::stats::Counters;
use super::worker;
use crate::{OpenError, StoreError, Tx};

/// Reads that may wait for a reader; further callers wait for a place.
const READ_QUEUE: usize = 1024;

/// A read, answered by its own code.
type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The queue in front of the readers. Each reader is a thread with a connection: handing a read over costs one wake-up
/// when the readers are idle and none when they are busy, less than a task on the runtime's blocking pool.
pub(super) struct Readers {
    waiting: Mutex<Waiting>,
    work: Condvar,
    places: Semaphore,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    idle: usize,
    closed: bool,
}

impl Readers {
    pub(super) fn new() -> Readers {
        Readers {
            waiting: Mutex::default(),
            work: Condvar::new(),
            places: Semaphore::new(READ_QUEUE),
        }
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.push(Box::new(move |connection| {
            // Nobody waits any more: a read leaves nothing behind, so it need not run.
            if !reply.is_closed() {
                let _ = reply.send(worker::guarded(|| in_snapshot(connection, work)));
            }
        }))?;
        // Given back when a reader takes the job, not when this future ends.
        place.forget();
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        waiting.jobs.push_back(job);
        let wake = waiting.idle > 0;
        drop(waiting);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// The next job; `None` once the queue is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                drop(waiting);
                self.places.add_permits(1);
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle += 1;
            waiting = self.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            waiting.idle -= 1;
        }
    }

    /// Takes in nothing more; the readers finish what waits.
    pub(super) fn close(&self) {
        self.places.close();
        self.lock().closed = true;
        self.work.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
            worker::spawn(&format!("tidings-read-{number}"), &file.path, move || {
                while let Some(job) = readers.next() {
                    counters.read();
                    // Beyond the read's own panic: a value nobody waits for may panic as it is dropped.
                    let _ = worker::guarded(|| {
                        job(&connection);
                        Ok(())
                    });
                }
            })
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
