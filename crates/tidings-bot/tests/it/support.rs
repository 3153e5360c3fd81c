//! What several of these tests need.

use std::sync::{Arc, Mutex};

use tidings_bot::{AdapterBuilder, Bot, TestAdapter};
use tidings_store::{Database, DatabaseOptions, Migrations, Step, StoreError, rusqlite};
use tokio::sync::Semaphore;

/// What happened, in order. Clones share it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A door that a handler stops at: the test learns that it is there, and lets it through.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    arrived: Arc<Semaphore>,
    opened: Arc<Semaphore>,
}

impl Default for Door {
    fn default() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            opened: Arc::new(Semaphore::new(0)),
        }
    }
}

impl Door {
    /// The handler: says that it is here, and waits.
    pub(crate) async fn pass(&self) {
        self.arrived.add_permits(1);
        self.opened.acquire().await.unwrap().forget();
    }

    /// The test: waits until somebody is at the door.
    pub(crate) async fn someone_is_there(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// The test: whether somebody has come to the door since it last looked.
    pub(crate) fn is_somebody_there(&self) -> bool {
        self.arrived
            .try_acquire()
            .map(tokio::sync::SemaphorePermit::forget)
            .is_ok()
    }

    /// The test: lets one through.
    pub(crate) fn open(&self) {
        self.opened.add_permits(1);
    }
}

pub(crate) const NOTES: Migrations = Migrations {
    component: "notes",
    postgres: &[],
    sqlite: &["CREATE TABLE notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT"],
};

/// A database with a table for notes.
pub(crate) fn database() -> Database {
    Database::temporary([NOTES, tidings_bot::MIGRATIONS]).unwrap()
}

/// A bot's home: a database file that is opened again and again.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn open(&self) -> Database {
        let options = DatabaseOptions::new(self.0.path().join("tidings.db"));
        Database::open(options.component(NOTES).component(tidings_bot::MIGRATIONS)).unwrap()
    }

    /// The bot as one process runs it.
    pub(crate) fn start(&self, bot: impl Bot, set_up: impl FnOnce(AdapterBuilder) -> AdapterBuilder) -> Life {
        let database = self.open();
        let storage = Arc::new(database.clone());
        let user = TestAdapter::builder(bot)
            .set_up(|adapter| set_up(adapter.storage(storage)))
            .build();
        Life { database, user }
    }
}

/// One process of a bot.
pub(crate) struct Life {
    pub(crate) database: Database,
    pub(crate) user: TestAdapter,
}

impl Life {
    /// How many rows the table has.
    pub(crate) async fn rows(&self, table: &'static str) -> i64 {
        let count = self.database.read(move |connection| {
            Ok(connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
        });
        count.await.unwrap()
    }

    /// The process ends well.
    pub(crate) async fn end(self) {
        self.user.adapter().shutdown().await;
        self.database.close().await;
    }
}

/// Writes a note; one named `fail` fails.
pub(crate) struct Note(pub(crate) &'static str);

impl Step for Note {
    fn write(self: Box<Self>, connection: &tidings_store::Tx<'_>) -> Result<(), StoreError> {
        if self.0 == "fail" {
            return Err(StoreError::message("this step fails"));
        }
        connection
            .prepare_cached("INSERT INTO notes (text) VALUES (?1)")?
            .execute([self.0])?;
        Ok(())
    }
}

/// The notes that are kept, in order.
pub(crate) async fn notes(database: &Database) -> Vec<String> {
    let read = database.read(|connection| {
        let mut statement = connection.prepare("SELECT text FROM notes ORDER BY number")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<Vec<String>, _>>()?)
    });
    read.await.unwrap()
}

/// Lets every task that can run do so. Only for checking that something does *not* happen.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
