use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Migrations, OpenError};

/// Where a [`Database`](crate::Database) is and what it holds.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    pub(super) place: Place,
    pub(super) components: Vec<Migrations>,
    pub(super) max_pages: Option<u32>,
    pub(super) readers: usize,
    pub(super) busy_timeout: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Path(PathBuf),
    Temporary,
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
            busy_timeout: Duration::from_secs(5),
        }
    }

    /// A database by its URL: `sqlite:///absolute/path.db`, `sqlite://relative.db`, or just a path. The path is taken as
    /// it is written, without percent-decoding.
    ///
    /// ```
    /// use tidings_store::DatabaseOptions;
    ///
    /// assert!(DatabaseOptions::from_url("sqlite:///var/lib/tidings/tidings.db").is_ok());
    /// assert!(DatabaseOptions::from_url("tidings.db").is_ok());
    /// let error = DatabaseOptions::from_url("postgres://localhost/tidings").unwrap_err();
    /// assert!(error.to_string().contains("sqlite:///"));
    /// ```
    ///
    /// # Errors
    /// [`OpenError::Url`] if the URL names another kind of database or no file.
    pub fn from_url(url: &str) -> Result<DatabaseOptions, OpenError> {
        let unusable = |reason| {
            Err(OpenError::Url {
                url: without_userinfo(url),
                reason,
            })
        };
        let path = match url.split_once("://") {
            Some(("sqlite", path)) => path,
            Some(("postgres" | "postgresql", _)) => {
                return unusable("this version does not serve PostgreSQL yet");
            }
            Some(_) => return unusable("only SQLite is served"),
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

    /// The file of the database; `None` for a temporary one.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Temporary => None,
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

    /// How many threads read beside the writer, 1 to 16.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> DatabaseOptions {
        self.readers = readers.clamp(1, 16);
        self
    }

    /// How long to wait while another program, such as an SQLite shell, keeps the file locked: 5 s unless told.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> DatabaseOptions {
        self.busy_timeout = timeout;
        self
    }
}

/// The URL without user and password, which must not reach a log.
fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
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
        let error = DatabaseOptions::from_url("postgres://me:p@ss@host/tidings")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("postgres://host/tidings") && !error.contains("p@ss"),
            "{error}"
        );
    }
}
