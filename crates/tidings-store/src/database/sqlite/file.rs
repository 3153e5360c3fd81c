use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrations;
use crate::database::options::Place;
use crate::{Migrations, OpenError};

/// The size of one page of the smallest page size, in bytes.
const SMALLEST_DATABASE: u64 = 512;

/// What each connection may keep of the file in memory, in KiB; taken page by page as it is needed. The writer keeps the
/// indexes of some hundred thousand rows: with 4 MiB and as many deliveries that wait, it read a dozen pages anew for
/// each message. A reader has to forget its pages whenever something was written.
const WRITER_CACHE_KIB: i64 = 32 * 1024;
const READER_CACHE_KIB: i64 = 1024;

/// The file of an open database. This process alone has it for as long as the value lives.
pub(super) struct DatabaseFile {
    pub(super) path: PathBuf,
    busy_timeout: Duration,
    lock: File,
    /// Dropped after the lock, which lies in the folder.
    folder: Option<TemporaryFolder>,
}

impl DatabaseFile {
    /// Finds or creates the file and locks it.
    pub(super) fn acquire(place: Place, busy_timeout: Duration) -> Result<DatabaseFile, OpenError> {
        let (path, folder) = match place {
            Place::Path(path) => (path, None),
            Place::Server(_) | Place::Temporary => {
                let folder = TemporaryFolder::create()?;
                (folder.0.join("tidings.db"), Some(folder))
            }
        };
        let path = resolve(&path)?;
        let lock = lock(&path)?;
        refuse_fragment(&path)?;
        Ok(DatabaseFile {
            path,
            busy_timeout,
            lock,
            folder,
        })
    }

    /// The file, for messages.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The connection that writes, its tables at their latest versions.
    pub(super) fn connect_writer(
        &self,
        components: &[Migrations],
        max_pages: Option<u32>,
    ) -> Result<Connection, OpenError> {
        let mut connection = self.connect_to_inspect()?;
        // Before anything is written: neither a stranger's file nor a newer one is touched.
        migrations::check(&connection, &self.path, components)?;
        self.configure_writer(&connection, max_pages)?;
        migrations::run(&mut connection, &self.path, components)?;
        Ok(connection)
    }

    /// A connection that could write, to a file that is not looked into yet.
    pub(super) fn connect_to_inspect(&self) -> Result<Connection, OpenError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE_KIB)?;
        // SQLite quietly opens a write-protected file for reading only.
        if connection
            .is_readonly("main")
            .map_err(|source| OpenError::from_sqlite(&self.path, source))?
        {
            let source = "the file is write-protected".into();
            return Err(OpenError::Unwritable {
                path: self.path.clone(),
                source,
            });
        }
        Ok(connection)
    }

    fn configure_writer(&self, connection: &Connection, max_pages: Option<u32>) -> Result<(), OpenError> {
        let sqlite = |source| OpenError::from_sqlite(&self.path, source);
        // What is removed with its last handle has nothing to survive.
        let synchronous = if self.folder.is_some() { "OFF" } else { "FULL" };
        connection
            .pragma_update(None, "synchronous", synchronous)
            .map_err(sqlite)?;
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
            .map_err(sqlite)?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(OpenError::NoWriteAheadLog {
                path: self.path.clone(),
                mode,
            });
        }
        connection
            .pragma_update(None, "foreign_keys", true)
            .map_err(sqlite)?;
        // On macOS a plain fsync leaves the data in the disk's cache.
        connection
            .pragma_update(None, "fullfsync", true)
            .map_err(sqlite)?;
        // After a burst the log shrinks back to this size.
        connection
            .pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)
            .map_err(sqlite)?;
        if let Some(pages) = max_pages {
            connection
                .pragma_update(None, "max_page_count", pages)
                .map_err(sqlite)?;
        }
        Ok(())
    }

    /// A connection that reads beside the writer.
    pub(super) fn connect_reader(&self) -> Result<Connection, OpenError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY, READER_CACHE_KIB)
    }

    fn connect(&self, access: OpenFlags, cache_kib: i64) -> Result<Connection, OpenError> {
        let sqlite = |source| OpenError::from_sqlite(&self.path, source);
        // Each connection is used by one thread at a time, and a path is a path: neither mutex nor URI.
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(sqlite)?;
        connection.busy_timeout(self.busy_timeout).map_err(sqlite)?;
        connection
            .pragma_update(None, "cache_size", -cache_kib)
            .map_err(sqlite)?;
        connection.set_prepared_statement_cache_capacity(128);
        Ok(connection)
    }
}

impl Drop for DatabaseFile {
    fn drop(&mut self) {
        // Closing the file would do, but not while a process that was just forked still has a copy of it.
        let _ = self.lock.unlock();
    }
}

/// The file with every link resolved, so that two names of one file meet at one lock. It is created if it is missing.
fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    // Never open an existing one: closing it again would drop SQLite's locks on it in this process.
    match private().write(true).create_new(true).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        // On a file system that cannot be written, an existing file still gets its own message below.
        Err(error) if !path.is_file() => return Err(OpenError::from_create(path, error)),
        Err(_) => {}
    }
    let unreadable = |source: io::Error| OpenError::Unreadable {
        path: path.to_owned(),
        source: source.into(),
    };
    let resolved = path.canonicalize().map_err(unreadable)?;
    if resolved.is_file() {
        Ok(resolved)
    } else {
        Err(unreadable(io::Error::other("it is not a file")))
    }
}

/// Tries whether the folder of `path` takes a new file, and removes it again.
pub(super) fn is_in_writable_folder(path: &Path) -> Result<(), OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-try-{}", std::process::id()));
    let attempt = PathBuf::from(name);
    match private().write(true).create_new(true).open(&attempt) {
        Ok(_) => {
            let _ = fs::remove_file(&attempt);
            Ok(())
        }
        Err(error) => Err(OpenError::from_create(path, error)),
    }
}

/// Refuses a file that is too short to be a database: SQLite would take some of those for a new one and write over them.
fn refuse_fragment(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if (1..SMALLEST_DATABASE).contains(&metadata.len()) => Err(OpenError::NotADatabase {
            path: path.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(source) => Err(OpenError::Unreadable {
            path: path.to_owned(),
            source: source.into(),
        }),
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let lock_path = PathBuf::from(name);
    let mut file = private()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(|error| match lock_path.exists() {
            true => OpenError::Unwritable {
                path: lock_path.clone(),
                source: error.into(),
            },
            false => OpenError::from_create(&lock_path, error),
        })?;
    match file.try_lock() {
        Ok(()) => {
            // Only a hint for the message of whoever comes next; nothing depends on it.
            let _ = file
                .set_len(0)
                .and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            path: path.to_owned(),
            holder: holder(&mut file),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::Unwritable {
            path: lock_path,
            source: error.into(),
        }),
    }
}

/// Who holds the lock, as far as its file says.
fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock
        .rewind()
        .and_then(|()| lock.take(20).read_to_string(&mut text));
    match (read, text.parse::<u32>()) {
        (Ok(_), Ok(process)) if process == std::process::id() => "this very process".to_owned(),
        (Ok(_), Ok(process)) => format!("process {process}"),
        _ => "another process".to_owned(),
    }
}

/// A folder that is removed with the value.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> Result<TemporaryFolder, OpenError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let parent = std::env::temp_dir();
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let folder = parent.join(format!("tidings-{}-{number}", std::process::id()));
            match create_private(&folder) {
                Ok(()) => return Ok(TemporaryFolder(folder)),
                // A leftover of an earlier process with this number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(OpenError::from_create(&folder, error)),
            }
        }
    }
}

/// What is created is for its owner only. SQLite gives the log and its index the mode of the database.
pub(in crate::database) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // A leftover in the temporary folder harms no one.
        let _ = fs::remove_dir_all(&self.0);
    }
}
