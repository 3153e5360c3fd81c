use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::backup::{Backup as Copying, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::sqlite::private;
use super::{Database, DatabaseOptions};
use crate::OpenError;

/// What is copied between two looks at whether to go on: one megabyte, a few milliseconds.
const PAGES_A_STEP: i32 = 256;
/// Steps of SQLite's machine between two looks while it checks the copy.
const CHECK_STEPS: i32 = 100_000;
/// What belongs to a database file and is named after it.
const COMPANIONS: [&str; 4] = ["-wal", "-shm", "-journal", "-lock"];

/// Told how a backup goes on; it ends, and leaves nothing behind, when this answers [`ControlFlow::Break`].
pub type BackupWatch = Arc<dyn Fn(BackupProgress) -> ControlFlow<()> + Send + Sync>;

/// How far a backup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupProgress {
    /// Pages are copied.
    Copying {
        /// How many are copied.
        done: u64,
        /// How many there are.
        of: u64,
    },
    /// The copy is complete and looked over.
    Checking,
}

/// A copy of a database, whole and on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The copy's file, with every symbolic link resolved.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its size in pages.
    pub pages: u64,
}

/// Why there is no copy of a database. What was copied until then is removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The database cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database is in PostgreSQL.
    #[error("a PostgreSQL database is backed up with pg_dump")]
    Server,
    /// There is no database to copy.
    #[error("there is no database {path:?} to back up: name the one that is meant")]
    Missing {
        /// The file that is not there.
        path: PathBuf,
    },
    /// The copy would replace what is copied.
    #[error("{path:?} belongs to the database that is backed up: choose another file for the copy")]
    Itself {
        /// The file.
        path: PathBuf,
    },
    /// The copy's name is that of a folder, or of something else that is not a file.
    #[error("{path:?} is not a file: name a file for the copy")]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The folder for the copy is not there.
    #[error("the folder {folder:?} for the copy does not exist: create it or choose another one")]
    FolderMissing {
        /// The folder.
        folder: PathBuf,
    },
    /// The copy's name is taken.
    #[error("{path:?} is there already: choose another name for the copy, or overwrite that file")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The copy's name is that of a database that somebody uses, or that was not closed.
    #[error(
        "{path:?} is a database that is open or was not closed ({companion:?} is beside it): choose another name \
         for the copy"
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// What says so.
        companion: PathBuf,
    },
    /// There is no room for the copy.
    #[error("there is no room for the copy {path:?}: free disk space or choose another disk")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The copy cannot be written.
    #[error("the copy {path:?} cannot be written ({source}): check its folder and its disk")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The system's or SQLite's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was copied is damaged, and so is the database.
    #[error(
        "the copy of {path:?} is damaged ({says}), so the database is, or its disk: keep the older backups, and \
         restore one"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        says: String,
    },
    /// It was told to stop.
    #[error("the backup was broken off; nothing of it is left")]
    Stopped,
}

impl Database {
    /// Copies the database into the file `target`, whether a server has it open or not, and blocks until the copy is on
    /// the disk. The copy holds everything that was committed before it began and nothing that came later; the server
    /// goes on meanwhile, and its write-ahead log grows until the copy is made.
    ///
    /// The copy is made beside the target, looked over (`quick_check`) and then renamed, so that a file of that name is
    /// always a whole one. Its owner alone may read it. It is one file: it has no write-ahead log until it is opened.
    /// A file that is there already stays, unless `overwrite` is true.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left then but what was there before.
    pub fn back_up(
        options: DatabaseOptions,
        target: &Path,
        overwrite: bool,
        watch: &BackupWatch,
    ) -> Result<Backup, BackupError> {
        let inspection = Database::inspect(options)?;
        let Some(database) = inspection.path().map(Path::to_owned) else {
            return Err(BackupError::Server);
        };
        let Some(source) = inspection.into_connection() else {
            return Err(BackupError::Missing { path: database });
        };
        let target = Target::find(target, &database, overwrite)?;
        let pages = make(&source, &database, &target, watch, None)?;
        let path = target.put(overwrite)?;
        let bytes = fs::metadata(&path)
            .map_err(|error| unwritable(&path, error))?
            .len();
        Ok(Backup { path, bytes, pages })
    }
}

/// Where the copy goes, and where it is made. What is still there when this goes is removed.
struct Target {
    path: PathBuf,
    partial: PathBuf,
}

impl Target {
    fn find(target: &Path, database: &Path, overwrite: bool) -> Result<Target, BackupError> {
        let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
        let path = resolve(target)?;
        let of_database = |suffix: &&str| path == with_suffix(&database, suffix);
        if path == database || COMPANIONS.iter().any(of_database) {
            return Err(BackupError::Itself { path });
        }
        // A copy put under another database's log would be taken for what that log continues.
        for companion in COMPANIONS[..3].iter().map(|suffix| with_suffix(&path, suffix)) {
            if companion.exists() {
                return Err(BackupError::InUse { path, companion });
            }
        }
        if path.symlink_metadata().is_ok() {
            if !path.is_file() {
                return Err(BackupError::NotAFile { path });
            }
            if !overwrite {
                return Err(BackupError::Exists { path });
            }
        }
        let partial = with_suffix(&path, &format!(".partial-{}", std::process::id()));
        match private().write(true).create_new(true).open(&partial) {
            Ok(_) => Ok(Target { path, partial }),
            Err(error) => Err(unwritable(&path, error)),
        }
    }

    /// Gives the copy its name, once all of it is on the disk.
    fn put(&self, overwrite: bool) -> Result<PathBuf, BackupError> {
        let failed = |error| unwritable(&self.path, error);
        File::open(&self.partial)
            .and_then(|copy| copy.sync_all())
            .map_err(failed)?;
        if overwrite {
            fs::rename(&self.partial, &self.path).map_err(failed)?;
        } else {
            // Unlike renaming, linking leaves a file that has come to be there meanwhile.
            match fs::hard_link(&self.partial, &self.path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(BackupError::Exists {
                        path: self.path.clone(),
                    });
                }
                // Not every file system has links.
                Err(_) => fs::rename(&self.partial, &self.path).map_err(failed)?,
            }
        }
        sync_folder(&self.path).map_err(failed)?;
        Ok(self.path.clone())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It has been renamed, or is of no use.
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(with_suffix(&self.partial, suffix));
        }
    }
}

/// Copies what `source` sees now, looks it over, and returns how many pages there are.
fn make(
    source: &Connection,
    database: &Path,
    target: &Target,
    watch: &BackupWatch,
    max_pages: Option<u32>,
) -> Result<u64, BackupError> {
    let read = |error| OpenError::from_sqlite(database, error);
    // As long as this reads, it sees one state of the database: otherwise each commit would make the copy begin anew.
    source.execute_batch("BEGIN").map_err(read)?;
    source
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(read)?;
    let mut copy = connect(&target.partial, max_pages).map_err(|error| not_copied(target, error))?;
    copy_pages(source, &mut copy, watch).map_err(|error| error.into_backup_error(target))?;
    // The server need not wait for the check to shrink its log.
    source.execute_batch("ROLLBACK").map_err(read)?;
    // A log of its own would have to be carried along with the copy.
    copy.pragma_update(None, "journal_mode", "DELETE")
        .map_err(|error| not_copied(target, error))?;
    check(&copy, database, target, watch)?;
    let pages: i64 = copy
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .map_err(|error| not_copied(target, error))?;
    copy.close().map_err(|(_, error)| not_copied(target, error))?;
    Ok(u64::try_from(pages).unwrap_or(0))
}

/// A connection to the empty file of the copy. It is thrown away if anything fails, so nothing in it is journalled.
fn connect(path: &Path, max_pages: Option<u32>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(path, flags)?;
    copy.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    copy.pragma_update(None, "journal_mode", "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    if let Some(pages) = max_pages {
        copy.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(copy)
}

enum Broken {
    Stopped,
    Failed(rusqlite::Error),
}

impl Broken {
    fn into_backup_error(self, target: &Target) -> BackupError {
        match self {
            Broken::Stopped => BackupError::Stopped,
            Broken::Failed(error) => not_copied(target, error),
        }
    }
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Broken::Failed(error)
    }
}

fn copy_pages(source: &Connection, copy: &mut Connection, watch: &BackupWatch) -> Result<(), Broken> {
    let copying = Copying::new(source, copy)?;
    loop {
        let step = copying.step(PAGES_A_STEP)?;
        let progress = copying.progress();
        let of = u64::try_from(progress.pagecount).unwrap_or(0);
        let left = u64::try_from(progress.remaining).unwrap_or(0);
        let done = of.saturating_sub(left);
        if watch(BackupProgress::Copying { done, of }).is_break() {
            return Err(Broken::Stopped);
        }
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Neither side has another user: the source is read already, and nobody knows the copy.
            _ => return Err(Broken::Failed(busy())),
        }
    }
}

fn busy() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
    rusqlite::Error::SqliteFailure(code, None)
}

fn check(
    copy: &Connection,
    database: &Path,
    target: &Target,
    watch: &BackupWatch,
) -> Result<(), BackupError> {
    let interrupt = Arc::clone(watch);
    let stop = move || interrupt(BackupProgress::Checking).is_break();
    copy.progress_handler(CHECK_STEPS, Some(stop))
        .map_err(|error| not_copied(target, error))?;
    if watch(BackupProgress::Checking).is_break() {
        return Err(BackupError::Stopped);
    }
    let damaged = |says| BackupError::Damaged {
        path: database.to_owned(),
        says,
    };
    match copy.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(says) if says == "ok" => Ok(()),
        Ok(says) => Err(damaged(says)),
        Err(error) => Err(match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => BackupError::Stopped,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(error.to_string()),
            _ => not_copied(target, error),
        }),
    }
}

/// What SQLite's error at writing the copy means.
fn not_copied(target: &Target, error: rusqlite::Error) -> BackupError {
    let path = target.path.clone();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => BackupError::Full { path },
        _ => BackupError::Unwritable {
            path,
            source: error.into(),
        },
    }
}

/// What the system's error at writing the copy means.
fn unwritable(path: &Path, error: io::Error) -> BackupError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackupError::Full { path },
        _ => BackupError::Unwritable {
            path,
            source: error.into(),
        },
    }
}

/// The target with every link resolved, whether it is there or not.
fn resolve(target: &Path) -> Result<PathBuf, BackupError> {
    if let Ok(path) = target.canonicalize() {
        return Ok(path);
    }
    let Some(name) = target.file_name() else {
        return Err(BackupError::NotAFile {
            path: target.to_owned(),
        });
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BackupError::FolderMissing {
            folder: folder.to_owned(),
        }),
        Err(error) => Err(unwritable(target, error)),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The new name is on the disk only when its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_without_room_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidings.db");
        let source = Connection::open(&path).unwrap();
        source
            .execute_batch(
                "CREATE TABLE bytes (value BLOB NOT NULL); INSERT INTO bytes VALUES (zeroblob(400000))",
            )
            .unwrap();
        let target = Target::find(&folder.path().join("copy.db"), &path, false).unwrap();
        let watch: BackupWatch = Arc::new(|_| ControlFlow::Continue(()));
        let error = make(&source, &path, &target, &watch, Some(20)).unwrap_err();
        assert!(matches!(error, BackupError::Full { .. }), "{error}");
        assert!(error.to_string().contains("free disk space"), "{error}");
        drop(target);
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(left, ["tidings.db"]);
    }

    #[test]
    fn a_damaged_database_has_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidings.db");
        let source = Connection::open(&path).unwrap();
        source
            .execute_batch(
                "CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                 INSERT INTO texts (text) SELECT 'text ' || i FROM n;",
            )
            .unwrap();
        source.close().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096 * 3..4096 * 4].fill(0xff);
        fs::write(&path, bytes).unwrap();
        let source = Connection::open(&path).unwrap();
        let target = Target::find(&folder.path().join("copy.db"), &path, false).unwrap();
        let watch: BackupWatch = Arc::new(|_| ControlFlow::Continue(()));
        let error = make(&source, &path, &target, &watch, None).unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    }
}
