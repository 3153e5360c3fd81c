use std::path::{Path, PathBuf};
use std::time::Duration;

use super::postgres::{ServerUrl, check_schema, without_secrets};
use crate::{Migrations, OpenError};

/// The most threads of a kind.
const MAX_THREADS: usize = 64;

/// Where a [`Database`](crate::Database) is and what it holds.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    pub(super) place: Place,
    pub(super) components: Vec<Migrations>,
    pub(super) max_pages: Option<u32>,
    pub(super) readers: usize,
    pub(super) writers: usize,
    pub(super) busy_timeout: Duration,
    pub(super) statement_timeout: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Path(PathBuf),
    Temporary,
    Server(Box<ServerUrl>),
}

impl DatabaseOptions {
    /// A database in the file `path`. Two readers, no page limit, no components but the documents.
    pub fn new(path: impl Into<PathBuf>) -> DatabaseOptions {
        DatabaseOptions {
            place: Place::Path(path.into()),
            ..DatabaseOptions::temporary()
        }
    }

    /// A database in a temporary folder that goes with its last handle, for tests. Its commits do not wait for the disk.
    pub fn temporary() -> DatabaseOptions {
        DatabaseOptions {
            place: Place::Temporary,
            components: Vec::new(),
            max_pages: None,
            readers: 2,
            writers: 8,
            busy_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
        }
    }

    /// A database by its URL: `sqlite:///absolute/path.db`, `sqlite://relative.db` or just a path, taken as it is
    /// written, without percent-decoding; or `postgres://user:password@host:port/database`.
    ///
    /// A PostgreSQL URL takes the parameters of libpq, such as `host=/run/postgresql` for a Unix socket, and `schema` (the
    /// schema of our tables, `tidings` unless told). Without a password in it, `PGPASSWORD` is used. `sslmode` is
    /// `disable`, `prefer` (the default: encrypted if the server can, whoever it is), or `require` and `verify-full`,
    /// which both want a certificate of an authority that the system trusts, or of one in the file `sslrootcert`.
    ///
    /// ```
    /// use tidings_store::DatabaseOptions;
    ///
    /// assert!(DatabaseOptions::from_url("sqlite:///var/lib/tidings/tidings.db").is_ok());
    /// assert!(DatabaseOptions::from_url("tidings.db").is_ok());
    /// assert!(DatabaseOptions::from_url("postgres://bot:secret@db.example/bots?sslmode=require").is_ok());
    /// let error = DatabaseOptions::from_url("mysql://localhost/tidings").unwrap_err();
    /// assert!(error.to_string().contains("sqlite:///"));
    /// ```
    ///
    /// # Errors
    /// [`OpenError::Url`] if the URL names another kind of database or no file.
    pub fn from_url(url: &str) -> Result<DatabaseOptions, OpenError> {
        let unusable = |reason: &str| {
            Err(OpenError::Url {
                url: without_secrets(url),
                reason: reason.to_owned(),
            })
        };
        let path = match url.split_once("://") {
            Some(("sqlite", path)) => path,
            Some(("postgres" | "postgresql", _)) => {
                let password = std::env::var("PGPASSWORD").ok();
                return Ok(DatabaseOptions {
                    place: Place::Server(Box::new(ServerUrl::parse(url, password)?)),
                    ..DatabaseOptions::temporary()
                });
            }
            Some(_) => return unusable("only SQLite and PostgreSQL are served"),
            None => url.strip_prefix("sqlite:").unwrap_or(url),
        };
        if path.is_empty() {
            return unusable("it names no file");
        }
        if path == ":memory:" {
            return unusable("a database needs a file");
        }
        if path.contains('\0') {
            return unusable("it contains a NUL character");
        }
        Ok(DatabaseOptions::new(path))
    }

    /// Keeps the tables in this schema of a PostgreSQL database, which is created if it is not there. SQLite has none.
    ///
    /// # Errors
    /// [`OpenError::Url`] if the name would need quotes.
    pub fn schema(mut self, name: &str) -> Result<DatabaseOptions, OpenError> {
        if let Err(reason) = check_schema(name) {
            return Err(OpenError::Url {
                url: format!("schema={name}"),
                reason: reason.to_owned(),
            });
        }
        if let Place::Server(url) = &mut self.place {
            url.set_schema(name.to_owned());
        }
        Ok(self)
    }

    /// The file of the database; `None` for a temporary one, and for PostgreSQL.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Temporary | Place::Server(_) => None,
        }
    }

    /// Adds a component: its tables are created, or brought to its latest version, at opening.
    #[must_use]
    pub fn component(mut self, migrations: Migrations) -> DatabaseOptions {
        self.components.push(migrations);
        self
    }

    /// The most pages of 4096 bytes the file may have; beyond it, writes answer
    /// [`StoreError::Full`](crate::StoreError::Full). A file that is larger already keeps its size.
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> DatabaseOptions {
        self.max_pages = Some(pages);
        self
    }

    /// How many threads read beside the writer, 1 to 64: two unless told.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> DatabaseOptions {
        self.readers = readers.clamp(1, MAX_THREADS);
        self
    }

    /// How many threads write to PostgreSQL, each with a connection, 1 to 64: eight unless told. SQLite has one.
    #[must_use]
    pub fn writers(mut self, writers: usize) -> DatabaseOptions {
        self.writers = writers.clamp(1, MAX_THREADS);
        self
    }

    /// How long a statement of PostgreSQL may take, waiting for locks included: 30 s unless told.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> DatabaseOptions {
        self.statement_timeout = timeout.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self
    }

    /// How long to wait while another program, such as an SQLite shell, keeps the file locked: 5 s unless told.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> DatabaseOptions {
        self.busy_timeout = timeout;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(url: &str) -> PathBuf {
        DatabaseOptions::from_url(url).unwrap().path().unwrap().to_owned()
    }

    #[test]
    fn urls_and_paths_name_the_same_files() {
        assert_eq!(
            path_of("sqlite:///var/lib/tidings.db"),
            PathBuf::from("/var/lib/tidings.db")
        );
        assert_eq!(path_of("sqlite://tidings.db"), PathBuf::from("tidings.db"));
        assert_eq!(path_of("sqlite:tidings.db"), PathBuf::from("tidings.db"));
        assert_eq!(
            path_of("/var/lib/tidings.db"),
            PathBuf::from("/var/lib/tidings.db")
        );
        assert_eq!(
            path_of("folder with space/50%.db"),
            PathBuf::from("folder with space/50%.db")
        );
    }

    #[test]
    fn other_urls_are_refused_and_their_passwords_not_shown() {
        for url in [
            "",
            "sqlite://",
            "sqlite:",
            "sqlite::memory:",
            "mysql://host/x",
            "a\0b",
        ] {
            let error = DatabaseOptions::from_url(url).unwrap_err();
            assert!(matches!(error, OpenError::Url { .. }), "{url}: {error}");
        }
        for url in [
            "mysql://me:p@ss@host/tidings",
            "postgres://me:p@ss@host/tidings?no=p@ss",
            "mysql://me:p@ss/@host",
        ] {
            let error = DatabaseOptions::from_url(url).unwrap_err().to_string();
            assert!(error.contains("host") && !error.contains("p@ss"), "{error}");
        }
        let options = DatabaseOptions::from_url("postgres://me:p@ss@host/tidings").unwrap();
        assert!(!format!("{options:?}").contains("p@ss"), "{options:?}");
    }
}
