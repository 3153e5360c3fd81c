//! Each way in which a database cannot be opened is told apart, in one line that says what to do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tidings_store::{Database, DatabaseOptions, OpenError, StoreErrorKind};

use crate::notes;
use rusqlite::Connection;

fn error_of(options: DatabaseOptions) -> OpenError {
    let error = Database::open(options).expect_err("it must not open");
    let line = error.to_string();
    assert!(
        !line.contains('\n') && line.contains(':') && line.len() < 400,
        "{line}"
    );
    error
}

fn error_at(path: impl AsRef<Path>) -> OpenError {
    error_of(DatabaseOptions::new(path.as_ref()))
}

#[test]
fn a_missing_folder() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = error_at(missing.join("tidings.db"));
    assert!(
        matches!(&error, OpenError::FolderMissing { folder } if *folder == missing),
        "{error}"
    );
    assert!(error.to_string().contains("create it"), "{error}");
}

#[test]
fn a_file_where_the_folder_should_be() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = error_at(file.path().join("tidings.db"));
    assert!(matches!(error, OpenError::FolderMissing { .. }), "{error}");
}

#[test]
fn a_folder_where_the_file_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_at(folder.path());
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written() {
    // Refused to everyone, root included.
    let error = error_at("/sys/tidings.db");
    assert!(
        matches!(&error, OpenError::Unwritable { path, .. } if path == Path::new("/sys")),
        "{error}"
    );
    assert!(error.to_string().contains("permissions"), "{error}");
}

#[cfg(unix)]
mod permissions {
    use std::env;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    const CHILD: &str = "TIDINGS_STORE_TEST_PERMISSIONS_DATABASE";

    /// Not a test of its own: what the process without rights runs.
    #[test]
    fn a_process_that_prints_why_it_cannot_open() {
        let Some(path) = env::var_os(CHILD) else { return };
        println!("because {}", error_at(path));
    }

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Why someone who is not root cannot open the database in `folder`.
    fn reason(folder: &TempDir) -> String {
        let mut child = Command::new(env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "open_errors::permissions::a_process_that_prints_why_it_cannot_open",
                "--nocapture",
            ])
            .env(CHILD, folder.path().join("tidings.db"))
            .current_dir("/");
        if fs::metadata(folder.path()).unwrap().uid() == 0 {
            // Nobody, as most systems number it: to root everything is permitted.
            child.uid(65534).gid(65534);
        }
        let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
        let reason = output
            .lines()
            .find_map(|line| Some(line.split_once("because ")?.1));
        reason
            .unwrap_or_else(|| panic!("no reason in {output}"))
            .to_owned()
    }

    /// A folder with a closed database in it.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        drop(Database::open(DatabaseOptions::new(folder.path().join("tidings.db"))).unwrap());
        allow(folder.path(), 0o777);
        allow(&folder.path().join("tidings.db"), 0o666);
        allow(&folder.path().join("tidings.db-lock"), 0o666);
        folder
    }

    #[test]
    fn of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        allow(folder.path(), 0o555);
        let reason = reason(&folder);
        let start = format!("{:?} is not writable", folder.path());
        assert!(
            reason.starts_with(&start) && reason.contains("permissions"),
            "{reason}"
        );
        allow(folder.path(), 0o755);
    }

    #[test]
    fn of_the_file() {
        let folder = folder();
        let file = folder.path().join("tidings.db");
        allow(&file, 0o444);
        let read_only = reason(&folder);
        assert!(
            read_only.starts_with(&format!("{file:?} is not writable")),
            "{read_only}"
        );
        allow(&file, 0o000);
        let secret = reason(&folder);
        assert!(
            secret.starts_with(&format!("database {file:?} cannot be read")),
            "{secret}"
        );
    }

    #[test]
    fn of_the_lock_file() {
        let folder = folder();
        let lock = folder.path().join("tidings.db-lock");
        allow(&lock, 0o444);
        let reason = reason(&folder);
        assert!(
            reason.starts_with(&format!("{lock:?} is not writable")),
            "{reason}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("tidings.db");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    let error = error_at(&link);
    assert!(matches!(error, OpenError::Unreadable { .. }), "{error}");
}

#[test]
fn a_file_that_is_not_a_database() {
    for length in [1, 2, 99, 100, 511, 512, 513, 4096, 15_000] {
        let content = "x".repeat(length);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidings.db");
        fs::write(&path, &content).unwrap();
        let error = error_at(&path);
        assert!(
            matches!(error, OpenError::NotADatabase { .. }),
            "{} bytes: {error}",
            content.len()
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            content,
            "it is left as it was"
        );
    }
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tidings.db"), "").unwrap();
    Database::open(notes::options(&folder)).unwrap();
}

#[tokio::test]
async fn a_damaged_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    database.close().await;
    let path = folder.path().join("tidings.db");
    let mut bytes = fs::read(&path).unwrap();
    // All after SQLite's header of 100 bytes: the root of the schema.
    bytes[100..4096].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = error_of(notes::options(&folder));
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_open_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    let error = error_of(notes::options(&folder));
    assert!(
        matches!(&error, OpenError::Locked { holder, .. } if holder == "this very process"),
        "{error}"
    );
    notes::add(database.clone(), "undisturbed").await.unwrap();
    drop(database);
    let again = Database::open(notes::options(&folder)).unwrap();
    assert_eq!(notes::all(&again).await, ["undisturbed"]);
}

#[cfg(unix)]
#[test]
fn two_names_of_one_file_meet_at_one_lock() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(database.path().unwrap(), &link).unwrap();
    let dotted = folder
        .path()
        .join("..")
        .join(folder.path().file_name().unwrap())
        .join("tidings.db");
    for name in [link, dotted] {
        let error = error_at(&name);
        assert!(
            matches!(error, OpenError::Locked { .. }),
            "{}: {error}",
            name.display()
        );
    }
}

#[test]
fn a_database_that_another_program_keeps_locked() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    let path = database.path().unwrap().to_owned();
    drop(database);
    let shell = Connection::open(&path).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let options = notes::options(&folder).busy_timeout(Duration::ZERO);
    let error = error_of(options.clone());
    assert!(matches!(error, OpenError::Busy { .. }), "{error}");
    shell.execute_batch("ROLLBACK").unwrap();
    Database::open(options).unwrap();
}

#[tokio::test]
async fn a_page_limit_below_what_the_tables_need() {
    let needed = {
        let database = Database::temporary([]).unwrap();
        let pages = database.read(|tx| tx.first("PRAGMA page_count", &[], |row| row.get::<u32>(0)));
        pages.await.unwrap().unwrap()
    };
    for (pages, fits) in [
        (1, false),
        (needed - 1, false),
        (needed, true),
        (needed + 1, true),
    ] {
        let options = DatabaseOptions::temporary().max_pages(pages);
        if fits {
            Database::open(options).unwrap();
        } else {
            let error = error_of(options);
            assert!(matches!(error, OpenError::Full { .. }), "{pages} pages: {error}");
            assert!(error.to_string().contains("free disk space"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_page_limit_below_the_size_of_the_file_only_stops_its_growth() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    notes::add(database.clone(), "x".repeat(100_000)).await.unwrap();
    database.close().await;
    let limited = Database::open(notes::options(&folder).max_pages(1)).unwrap();
    assert_eq!(notes::all(&limited).await.len(), 1);
    let error = notes::add(limited.clone(), "x".repeat(100_000))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    limited
        .write(|tx| tx.execute("DELETE FROM notes", &[]))
        .await
        .unwrap();
    notes::add(limited.clone(), "x".repeat(100_000)).await.unwrap();
}

#[test]
fn a_failed_opening_releases_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db");
    fs::write(&path, "not a database").unwrap();
    error_at(&path);
    fs::remove_file(&path).unwrap();
    Database::open(DatabaseOptions::new(&path)).unwrap();
}
