//! PostgreSQL: threads with a connection each, every operation in a transaction of its own.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::queue::Queue;
use super::stats::Counters;
use super::{Migrations, worker};
use crate::{OpenError, StoreError, StoreErrorKind, Tx};

mod connector;
mod inspection;
mod migrations;
mod server_url;
mod session;
mod statement;
mod tls;
mod tx;

pub(super) use inspection::PostgresInspection;
pub(super) use server_url::{ServerUrl, check_schema, without_secrets};
pub(crate) use tx::PostgresTx;

use connector::Connector;
use session::Session;
use tx::Access;

/// Operations that may wait for a thread.
const QUEUE: usize = 1024;

/// How often an operation that can be repeated is run, if each time it is the one that gives way to others.
const TRIES: u32 = 5;

/// How many threads, and how patient they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threads {
    pub(super) writers: usize,
    pub(super) readers: usize,
    pub(super) statement_timeout: Duration,
}

/// An operation, answered by its own code.
type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// A PostgreSQL database that is open.
pub(super) struct Postgres {
    url: ServerUrl,
    writers: Arc<Queue<Job>>,
    readers: Arc<Queue<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Its senders live on the threads.
    finished: watch::Receiver<()>,
}

impl Postgres {
    pub(super) fn open(
        url: ServerUrl,
        components: &[Migrations],
        threads: Threads,
        counters: &Arc<Counters>,
    ) -> Result<Postgres, OpenError> {
        let connector = Arc::new(Connector::new(url.clone(), threads.statement_timeout)?);
        let session = apart(|| migrations::open(&connector, components))?;
        let (finish, finished) = watch::channel(());
        let mut opened = Postgres {
            url,
            writers: Arc::new(Queue::new(QUEUE)),
            readers: Arc::new(Queue::new(QUEUE)),
            threads: Vec::new(),
            finished,
        };
        let finish = Arc::new(finish);
        // The others connect when there is more to do than one can.
        let mut first = Some(session);
        for (access, count) in [(Access::Write, threads.writers), (Access::Read, threads.readers)] {
            for number in 0..count {
                let worker = Worker {
                    session: first.take(),
                    connector: connector.clone(),
                    access,
                    counters: counters.clone(),
                };
                // Dropping what is there already ends the threads that were started.
                let thread = opened.start(worker, number, finish.clone())?;
                opened.threads.push(thread);
            }
        }
        Ok(opened)
    }

    fn start(
        &self,
        mut worker: Worker,
        number: usize,
        finish: Arc<watch::Sender<()>>,
    ) -> Result<JoinHandle<()>, OpenError> {
        let (name, queue) = match worker.access {
            Access::Write => ("write", self.writers.clone()),
            Access::Read => ("read", self.readers.clone()),
        };
        worker::spawn(
            &format!("tidings-{name}-{number}"),
            &self.url.to_string(),
            move || {
                while let Some(job) = queue.next() {
                    // Beyond the operation's own panic: a value nobody waits for may panic as it is dropped.
                    let _ = worker::guarded(|| {
                        job(&mut worker);
                        Ok(())
                    });
                }
                drop(worker);
                drop(finish);
            },
        )
    }

    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let mut work = Some(work);
        let once = move |tx: &Tx<'_>| match work.take() {
            Some(work) => work(tx),
            None => Err(StoreError::message("an operation that runs once was run again")),
        };
        run(&self.writers, Access::Write, 1, once).await
    }

    pub(super) async fn write_repeatable<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        run(&self.writers, Access::Write, TRIES, work).await
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let mut work = Some(work);
        let once = move |tx: &Tx<'_>| match work.take() {
            Some(work) => work(tx),
            None => Err(StoreError::message("an operation that runs once was run again")),
        };
        run(&self.readers, Access::Read, 1, once).await
    }

    /// Takes in nothing more, and waits until what was taken in is done.
    pub(super) async fn close(&self) {
        self.stop();
        let mut finished = self.finished.clone();
        while finished.changed().await.is_ok() {}
    }

    pub(super) fn url(&self) -> &ServerUrl {
        &self.url
    }

    fn stop(&self) {
        self.writers.close();
        self.readers.close();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        // The last handle may have been captured by an operation: a thread cannot wait for itself.
        if !worker::is_current() {
            for thread in self.threads.drain(..) {
                let _ = thread.join();
            }
        }
    }
}

/// Does what drives a connection on a thread of its own: the caller may be on a runtime, which lets nobody drive another.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

/// Hands `work` to a thread, which runs it up to `tries` times as long as it gives way to others.
async fn run<T, F>(queue: &Queue<Job>, access: Access, tries: u32, work: F) -> Result<T, StoreError>
where
    F: FnMut(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let since = Instant::now();
    let job = Box::new(move |worker: &mut Worker| {
        // A read that nobody waits for leaves nothing behind, so it need not run.
        if access == Access::Write || !reply.is_closed() {
            let _ = reply.send(worker.run(since, tries, work));
        }
    });
    queue.push(job).await?;
    answer.await.unwrap_or(Err(StoreError::Closed))
}

/// What a thread has.
struct Worker {
    /// `None` before the first operation, and after the server went away.
    session: Option<Session>,
    connector: Arc<Connector>,
    access: Access,
    counters: Arc<Counters>,
}

impl Worker {
    /// Runs an operation that was queued at `since`, in a transaction, or in several if it may be repeated and collides.
    fn run<T>(
        &mut self,
        since: Instant,
        tries: u32,
        mut work: impl FnMut(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut result = self.run_once(since, &mut work);
        for _ in 1..tries {
            match &result {
                Err(error) if error.kind() == StoreErrorKind::Retry => {
                    tracing::debug!(%error, "a database operation collided with others and is run again");
                    result = self.run_once(since, &mut work);
                }
                _ => break,
            }
        }
        match self.access {
            Access::Write => self.counters.ran(1, usize::from(result.is_ok())),
            Access::Read => self.counters.read(),
        }
        result
    }

    fn run_once<T>(
        &mut self,
        since: Instant,
        work: &mut impl FnMut(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.session(since)?;
        let tx = PostgresTx::new(session, &self.connector.server, self.access);
        let result = worker::guarded(|| work(&Tx::postgres(&tx)));
        let (session, result) = tx.end(result);
        self.session = session.stands().then_some(session);
        result
    }

    fn session(&mut self, since: Instant) -> Result<Session, StoreError> {
        if let Some(mut session) = self.session.take()
            && session.is_alive()
        {
            return Ok(session);
        }
        self.connector.connect_for(since, self.access.settings())
    }
}
