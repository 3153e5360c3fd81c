//! A copy is whole, of one moment, and never half there.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use tidings_store::{
    BackupError, BackupProgress, BackupWatch, Database, DatabaseOptions, Migrations, StoreError, Tx, params,
};

use crate::notes;

const PIECES: Migrations = Migrations {
    component: "pieces",
    postgres: &[],
    sqlite: &["CREATE TABLE pieces (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT"],
};

fn options(folder: &TempDir) -> DatabaseOptions {
    at(&folder.path().join("tidings.db"))
}

fn at(path: &Path) -> DatabaseOptions {
    DatabaseOptions::new(path).component(PIECES)
}

fn insert(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.execute("INSERT INTO pieces (bytes) VALUES (zeroblob(4000))", params![])?;
    Ok(())
}

async fn add(database: &Database) {
    database.write(insert).await.unwrap();
}

async fn add_many(database: &Database, count: usize) {
    database
        .write(move |tx| (0..count).try_for_each(|_| insert(tx)))
        .await
        .unwrap();
}

/// How many there are and the last one's number: the same, if none is missing.
async fn pieces(database: &Database) -> (i64, i64) {
    let found = database
        .read(|tx| {
            tx.first(
                "SELECT count(*), coalesce(max(id), 0) FROM pieces",
                params![],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
        .await
        .unwrap();
    found.unwrap()
}

fn to_the_end() -> BackupWatch {
    Arc::new(|_| ControlFlow::Continue(()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_the_moment_it_began_while_writes_go_on() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = Database::open(options(&folder)).unwrap();
    add_many(&database, 1000).await;
    let target = elsewhere.path().join("copy.db");
    // At each look at how far the copy is, one more commit has ended.
    let later = Arc::new(AtomicU64::new(0));
    let watch: BackupWatch = {
        let (database, later, runtime) = (
            database.clone(),
            Arc::clone(&later),
            tokio::runtime::Handle::current(),
        );
        Arc::new(move |progress| {
            if matches!(progress, BackupProgress::Copying { .. }) {
                runtime.block_on(add(&database));
                later.fetch_add(1, Ordering::Relaxed);
            }
            ControlFlow::Continue(())
        })
    };
    let options = options(&folder);
    let copying = {
        let target = target.clone();
        move || Database::back_up(options, &target, false, &watch)
    };
    let backup = tokio::task::spawn_blocking(copying).await.unwrap().unwrap();
    assert_eq!(backup.path, target.canonicalize().unwrap());
    assert_eq!(backup.bytes, fs::metadata(&target).unwrap().len());
    assert_eq!(backup.pages * 4096, backup.bytes);
    let later = i64::try_from(later.load(Ordering::Relaxed)).unwrap();
    assert!(later > 2, "the copy was made in {later} steps");
    assert_eq!(pieces(&database).await, (1000 + later, 1000 + later));
    assert_eq!(notes::files(&elsewhere), ["copy.db"]);
    let copy = Database::open(at(&target)).unwrap();
    assert_eq!(pieces(&copy).await, (1000, 1000));
    // It is a database like any other.
    add(&copy).await;
    assert_eq!(pieces(&copy).await, (1001, 1001));
}

#[tokio::test]
async fn a_closed_database_is_copied_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(options(&folder)).unwrap();
    add(&database).await;
    database.close().await;
    let before = notes::files(&folder);
    let target = folder.path().join("copy.db");
    // It is not brought to the versions of the given components.
    let newer = Migrations {
        component: "more",
        postgres: &[],
        sqlite: &["CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT"],
    };
    Database::back_up(options(&folder).component(newer), &target, false, &to_the_end()).unwrap();
    assert_eq!(
        notes::files(&folder),
        [["copy.db".to_owned()].as_slice(), &before].concat()
    );
    let copy = rusqlite::Connection::open(&target).unwrap();
    assert!(copy.prepare("SELECT * FROM more").is_err());
    let mode: String = copy
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete", "it is one file until it is opened");
    drop(copy);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(pieces(&Database::open(at(&target)).unwrap()).await, (1, 1));
}

#[tokio::test]
async fn a_file_that_is_there_is_overwritten_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(options(&folder)).unwrap();
    add(&database).await;
    let target = folder.path().join("copy.db");
    fs::write(&target, "precious").unwrap();
    let error = Database::back_up(options(&folder), &target, false, &to_the_end()).unwrap_err();
    assert!(
        matches!(error, BackupError::Exists { .. }) && error.to_string().contains("choose another name"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    Database::back_up(options(&folder), &target, true, &to_the_end()).unwrap();
    assert_eq!(pieces(&Database::open(at(&target)).unwrap()).await, (1, 1));
}

#[tokio::test]
async fn a_target_that_would_do_harm_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    let error = Database::back_up(options(&folder), &path.join("copy.db"), false, &to_the_end()).unwrap_err();
    assert!(matches!(error, BackupError::Missing { .. }), "{error}");
    let database = Database::open(options(&folder)).unwrap();
    add(&database).await;
    let other = Database::open(at(&path.join("other.db"))).unwrap();
    add(&other).await;
    let before = notes::files(&folder);
    let refused = |target: &str| {
        let error = Database::back_up(options(&folder), &path.join(target), true, &to_the_end()).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        error
    };
    for itself in ["tidings.db", "tidings.db-wal", "tidings.db-lock", "./tidings.db"] {
        let error = refused(itself);
        assert!(matches!(error, BackupError::Itself { .. }), "{itself}: {error}");
    }
    let error = refused("other.db");
    assert!(matches!(error, BackupError::InUse { .. }), "{error}");
    let error = refused(".");
    assert!(matches!(error, BackupError::NotAFile { .. }), "{error}");
    let error = refused("..");
    assert!(matches!(error, BackupError::NotAFile { .. }), "{error}");
    let error = refused("missing/copy.db");
    assert!(matches!(error, BackupError::FolderMissing { .. }), "{error}");
    let error = refused("tidings.db/copy.db");
    assert!(matches!(error, BackupError::Unwritable { .. }), "{error}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path.join("tidings.db"), path.join("link")).unwrap();
        let error = refused("link");
        assert!(matches!(error, BackupError::Itself { .. }), "{error}");
        fs::remove_file(path.join("link")).unwrap();
    }
    assert_eq!(notes::files(&folder), before);
    assert_eq!(pieces(&database).await, (1, 1));
}

#[tokio::test]
async fn a_backup_that_is_told_to_stop_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(options(&folder)).unwrap();
    add_many(&database, 1000).await;
    let before = notes::files(&folder);
    for when in [
        (|progress| matches!(progress, BackupProgress::Copying { .. })) as fn(BackupProgress) -> bool,
        |progress| progress == BackupProgress::Checking,
    ] {
        let watch: BackupWatch = Arc::new(move |progress| match when(progress) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        let error =
            Database::back_up(options(&folder), &folder.path().join("copy.db"), false, &watch).unwrap_err();
        assert!(matches!(error, BackupError::Stopped), "{error}");
        assert_eq!(notes::files(&folder), before);
    }
}
