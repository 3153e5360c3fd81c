//! Where Tidings keeps things.
//!
//! - [`Storage`] keeps JSON documents under string keys and guards each with an [`ETag`], so that two turns on one
//!   state never overwrite each other silently. [`MemoryStorage`] is for tests; [`Database`] is the one that lasts.
//!   [`storage_contract!`] is the suite that every backend passes.
//! - [`Database`] is one SQLite file, whose single writer thread puts whatever waits into one durable `COMMIT` (group
//!   commit), or a PostgreSQL database that any number of nodes share. [`Tx`] is an open transaction of either.
//! - [`Batch`] is what a turn leaves behind: documents and [`Step`]s that [`Database::commit`] keeps together or not
//!   at all.
//! - [`Clock`] passes time in, so that tests can hold it still.
//!
//! # Example
//!
//! ```
//! use tidings_store::{Batch, Database, Document, DocumentChange, Migrations, Step, Storage, StoreError, Tx, params};
//!
//! const MIGRATIONS: Migrations = Migrations {
//!     component: "greetings",
//!     postgres: &[],
//!     sqlite: &["CREATE TABLE greetings (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"],
//! };
//!
//! struct Greet(&'static str);
//!
//! impl Step for Greet {
//!     fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
//!         tx.execute("INSERT INTO greetings (text) VALUES (?1)", params![self.0])?;
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a real program: `Database::open(DatabaseOptions::from_url("sqlite:///var/lib/tidings/tidings.db")?...)`.
//! let database = Database::temporary([MIGRATIONS])?;
//!
//! // A document and a step, kept in one commit.
//! let document = Document::encode(&serde_json::json!({ "visits": 1 }))?;
//! let mut batch = Batch::default();
//! batch.documents.push(DocumentChange::Write { key: "user/ana".into(), document });
//! batch.steps.push(Box::new(Greet("Hello, Ana.")));
//! database.commit(batch).await?;
//!
//! // The eTag that was read guards the next write.
//! let mut ana = database.read_document("user/ana").await?.expect("just written");
//! ana.value.insert("visits".into(), 2.into());
//! database.write_document("user/ana", ana.clone()).await?;
//! assert!(database.write_document("user/ana", ana).await.unwrap_err().is_conflict());
//!
//! // SQL beside the documents.
//! let greetings: i64 = database
//!     .read(|tx| tx.first("SELECT count(*) FROM greetings", &[], |row| row.get(0)))
//!     .await?
//!     .unwrap_or_default();
//! assert_eq!(greetings, 1);
//! database.close().await;
//! # Ok(())
//! # }
//! ```

mod batch;
mod clock;
mod column;
pub mod contract;
mod database;
mod document;
mod etag;
mod memory;
mod open_error;
mod postgres_error;
#[cfg(feature = "simulation")]
pub mod simulation;
mod storage;
mod store_error;
#[cfg(all(unix, feature = "test-postgres"))]
pub mod test_postgres;
mod tx;

pub use batch::{Batch, Committed, DocumentChange, Step};
pub use clock::{Clock, ManualClock, SystemClock};
pub use column::{ColumnRef, FromColumn, List, ToColumn};
pub use database::{
    Backup, BackupError, BackupProgress, BackupWatch, Database, DatabaseOptions, Inspection, Migrations,
    Stats,
};
pub use document::{Document, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_KEY_BYTES};
pub use etag::{Condition, ETag};
pub use memory::MemoryStorage;
pub use open_error::OpenError;
pub use postgres_error::PostgresError;
pub use storage::Storage;
pub use store_error::{StorageError, StoreError, StoreErrorKind};
pub use tx::{Dialect, Row, Tx};
