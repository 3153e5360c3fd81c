//! A database for simulations: it runs on the thread of whoever calls it, and what goes wrong around its operations is
//! told from outside. With the feature `simulation`, for tests of other crates.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::Connection;

use crate::database::{self, Database, Migrations};
use crate::{OpenError, StoreError, Tx};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads what is committed.
    Read,
    /// It runs in a transaction that is committed.
    Write,
}

/// What happens around the operations of one handle: delays, errors, and the end of whoever waits, which is a future
/// that is never ready.
#[async_trait]
pub trait Faults: Send + Sync + 'static {
    /// Comes before an operation. On an error it does not run.
    async fn before(&self, access: Access) -> Result<(), StoreError>;

    /// Comes after an operation that is committed. On an error its caller is told so, although it is.
    async fn after(&self, access: Access) -> Result<(), StoreError>;
}

/// What handles share as nodes share a database: SQLite, in memory.
#[derive(Clone)]
pub struct SimulatedDisk {
    connection: Arc<Mutex<Connection>>,
    components: Vec<&'static str>,
}

impl SimulatedDisk {
    /// An empty one with the tables of `components`.
    ///
    /// # Errors
    /// [`OpenError`] as [`Database::open`].
    pub fn new(components: impl IntoIterator<Item = Migrations>) -> Result<SimulatedDisk, OpenError> {
        let (connection, components) = database::open_in_memory(components.into_iter().collect())?;
        Ok(SimulatedDisk {
            connection: Arc::new(Mutex::new(connection)),
            components,
        })
    }

    /// A handle whose operations go through `faults`. They take effect one at a time, in the order in which `faults`
    /// lets them through.
    #[must_use]
    pub fn connect(&self, faults: Arc<dyn Faults>) -> Database {
        let simulated = Simulated {
            disk: self.clone(),
            faults,
        };
        Database::on_simulation(simulated, self.components.clone())
    }

    /// Runs `work` in a transaction, past all faults.
    ///
    /// # Errors
    /// The error of `work`; then nothing is changed.
    pub fn inspect<T>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // `Connection::transaction` would need it mutable; a panic in `work` rolls back as well.
        let transaction = connection.unchecked_transaction()?;
        let done = work(&Tx::sqlite(&transaction))?;
        transaction.commit()?;
        Ok(done)
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimulatedDisk").finish_non_exhaustive()
    }
}

/// The engine of a simulated handle.
pub(crate) struct Simulated {
    disk: SimulatedDisk,
    faults: Arc<dyn Faults>,
}

impl Simulated {
    pub(crate) async fn run<T, F>(&self, access: Access, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
        T: Send,
    {
        self.faults.before(access).await?;
        let done = self.disk.inspect(work)?;
        self.faults.after(access).await?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::params;

    const NOTES: Migrations = Migrations {
        component: "notes",
        postgres: &[],
        sqlite: &["CREATE TABLE notes (text TEXT NOT NULL) STRICT"],
    };

    #[derive(Default)]
    struct Switch {
        refuses: AtomicBool,
        loses_answers: AtomicBool,
    }

    #[async_trait]
    impl Faults for Switch {
        async fn before(&self, _: Access) -> Result<(), StoreError> {
            match self.refuses.load(Ordering::Relaxed) {
                true => Err(StoreError::message("refused")),
                false => Ok(()),
            }
        }

        async fn after(&self, _: Access) -> Result<(), StoreError> {
            match self.loses_answers.load(Ordering::Relaxed) {
                true => Err(StoreError::message("lost")),
                false => Ok(()),
            }
        }
    }

    async fn note(database: &Database) -> Result<(), StoreError> {
        database
            .write(|tx| {
                tx.execute("INSERT INTO notes (text) VALUES (?1)", params!["x"])?;
                Ok(())
            })
            .await
    }

    async fn count(database: &Database) -> i64 {
        let count = database.read(|tx| tx.first("SELECT count(*) FROM notes", &[], |row| row.get(0)));
        count.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn what_is_refused_did_not_happen_and_what_is_lost_did() {
        let disk = SimulatedDisk::new([NOTES]).unwrap();
        let faults = Arc::new(Switch::default());
        let (node, other) = (
            disk.connect(faults.clone()),
            disk.connect(Arc::new(Switch::default())),
        );
        note(&node).await.unwrap();
        faults.refuses.store(true, Ordering::Relaxed);
        note(&node).await.unwrap_err();
        assert_eq!(count(&other).await, 1);
        faults.refuses.store(false, Ordering::Relaxed);
        faults.loses_answers.store(true, Ordering::Relaxed);
        note(&node).await.unwrap_err();
        assert_eq!(count(&other).await, 2);
        node.close().await;
        assert!(other.has_component("notes"));
    }

    #[tokio::test]
    async fn an_operation_that_fails_leaves_nothing() {
        let disk = SimulatedDisk::new([NOTES]).unwrap();
        let node = disk.connect(Arc::new(Switch::default()));
        let failed = node.write(|tx| {
            tx.execute("INSERT INTO notes (text) VALUES (?1)", params!["x"])?;
            Err::<(), _>(StoreError::message("no"))
        });
        failed.await.unwrap_err();
        assert_eq!(count(&node).await, 0);
    }
}
