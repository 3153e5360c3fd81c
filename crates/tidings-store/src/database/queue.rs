use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::StoreError;

/// What waits in front of threads that each have a connection. Handing a job over costs one wake-up when a thread is
/// idle and none when all are busy, less than a task on the runtime's blocking pool.
pub(super) struct Queue<J> {
    waiting: Mutex<Waiting<J>>,
    work: Condvar,
    places: Semaphore,
}

struct Waiting<J> {
    jobs: VecDeque<J>,
    idle: usize,
    closed: bool,
}

impl<J> Queue<J> {
    /// A queue with room for `places` jobs; further callers wait for a place.
    pub(super) fn new(places: usize) -> Queue<J> {
        Queue {
            waiting: Mutex::new(Waiting {
                jobs: VecDeque::new(),
                idle: 0,
                closed: false,
            }),
            work: Condvar::new(),
            places: Semaphore::new(places),
        }
    }

    /// Puts a job into the queue once there is a place for it.
    pub(super) async fn push(&self, job: J) -> Result<(), StoreError> {
        let place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
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
        // Given back when a thread takes the job.
        place.forget();
        Ok(())
    }

    /// The next job; `None` once the queue is closed and empty.
    pub(super) fn next(&self) -> Option<J> {
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

    /// Takes in nothing more; the threads finish what waits.
    pub(super) fn close(&self) {
        self.places.close();
        self.lock().closed = true;
        self.work.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
