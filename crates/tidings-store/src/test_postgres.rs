//! A private PostgreSQL for tests. Only with the feature `test-postgres`.
//!
//! ```
//! use tidings_store::Database;
//! use tidings_store::test_postgres::TestPostgres;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Tables of its own on the server of this process.
//! let database = Database::open(TestPostgres::shared().options())?;
//! assert!(database.is_multi_node());
//! # database.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! The server is made with `initdb` in a temporary folder, listens on a socket in there, and ends with the process that
//! started it, however that ends. When the process is root's, the server runs as the user `postgres` or `nobody`. The
//! programs are looked for in the folder `TIDINGS_TEST_POSTGRES_BIN`, in `PATH`, and where Debian and Homebrew put them;
//! without them a test fails and says what to install.
#![expect(
    clippy::missing_panics_doc,
    reason = "without a server a test fails, as the module says"
)]

mod programs;
mod server;
mod template;
mod user;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::DatabaseOptions;
use server::Server;

/// What the test PostgreSQL of a process differs in from the usual one.
#[derive(Clone, Debug, Default)]
pub struct TestPostgresOptions {
    durable: bool,
    tcp: bool,
    settings: Vec<String>,
    /// `pg_hba.conf`, where everybody may enter through the socket unless told.
    access: Option<String>,
    /// Names in the data folder and contents.
    files: Vec<(String, String)>,
}

impl TestPostgresOptions {
    /// Commits wait for the disk, for tests of crashes and for measurements.
    #[must_use]
    pub fn durable(mut self) -> TestPostgresOptions {
        self.durable = true;
        self
    }

    /// Listens on a port of 127.0.0.1, too: [`TestPostgres::port`].
    #[must_use]
    pub fn tcp(mut self) -> TestPostgresOptions {
        self.tcp = true;
        self
    }

    /// A setting of `postgresql.conf`, such as `max_connections=10`.
    #[must_use]
    pub fn setting(mut self, setting: impl Into<String>) -> TestPostgresOptions {
        self.settings.push(setting.into());
        self
    }

    /// Who may enter and how, as the lines of `pg_hba.conf`.
    #[must_use]
    pub fn access(mut self, lines: impl Into<String>) -> TestPostgresOptions {
        self.access = Some(lines.into());
        self
    }

    /// A file in the server's data folder, only readable to the server.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, content: impl Into<String>) -> TestPostgresOptions {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Starts the server.
    #[must_use]
    pub fn start(self) -> TestPostgres {
        TestPostgres {
            server: Mutex::new(Server::start(self)),
        }
    }
}

/// A PostgreSQL server that lives as long as the value, and no longer than this process. Its superuser is `tidings`.
#[derive(Debug)]
pub struct TestPostgres {
    server: Mutex<Server>,
}

impl TestPostgres {
    /// The server that all tests of this process share. Its commits do not wait for the disk.
    pub fn shared() -> &'static TestPostgres {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(TestPostgres::start)
    }

    /// A server of one's own, to stop it and start it again.
    #[must_use]
    pub fn start() -> TestPostgres {
        TestPostgresOptions::default().start()
    }

    /// A database in a schema of its own, without components. It opens few connections.
    pub fn options(&self) -> DatabaseOptions {
        let options = DatabaseOptions::from_url(&self.url()).expect("our own URL is fine");
        options.writers(4).readers(2)
    }

    /// A URL with a schema of its own, new with each call.
    pub fn url(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!(
            "{}&schema=test_{}_{number}",
            self.server_url(),
            std::process::id()
        )
    }

    /// The URL of the server's database `postgres`.
    pub fn server_url(&self) -> String {
        self.url_for("tidings@", "postgres")
    }

    /// The URL of a database for someone else: `user` is `name@` or `name:password@`.
    pub fn url_for(&self, user: &str, database: &str) -> String {
        let folder = self.folder();
        format!(
            "postgres://{user}/{database}?host={}&port={}",
            folder.display(),
            self.port()
        )
    }

    /// The port on 127.0.0.1, if the server listens there; it is also part of the socket's name.
    pub fn port(&self) -> u16 {
        self.with_server(|server| server.port())
    }

    /// The folder of the server's socket.
    pub fn folder(&self) -> std::path::PathBuf {
        self.with_server(|server| server.folder().to_owned())
    }

    /// Stops the server: who is connected is thrown out.
    pub fn stop(&self) {
        self.with_server(Server::stop);
    }

    /// Crashes the server.
    pub fn crash(&self) {
        self.with_server(Server::crash);
    }

    /// Starts the server after it was stopped or crashed, and returns once it answers.
    pub fn start_again(&self) {
        self.with_server(Server::start_again);
    }

    /// Runs SQL as the superuser, in a connection of its own, and returns the first column of the first row.
    pub fn sql(&self, sql: &str) -> Option<String> {
        server::sql(&self.server_url(), sql)
    }

    /// What the server has written to its log.
    pub fn log(&self) -> String {
        self.with_server(|server| server.log())
    }

    fn with_server<T>(&self, work: impl FnOnce(&mut Server) -> T) -> T {
        work(&mut self.server.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether `folder` holds the programs of a server.
fn holds_server(folder: &Path) -> bool {
    ["initdb", "postgres"]
        .iter()
        .all(|name| folder.join(name).is_file())
}
