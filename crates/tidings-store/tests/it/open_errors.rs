//! Each way in which a database cannot be opened is told apart, in one line that says what to do.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tidings_store::{Database, DatabaseOptions, OpenError};

use crate::notes;
use crate::rusqlite::Connection;

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
    std::os::unix::fs::symlink(database.path(), &link).unwrap();
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
    let path = database.path().to_owned();
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
        let pages = database
            .read(|connection| Ok(connection.pragma_query_value(None, "page_count", |row| row.get(0))?));
        pages.await.unwrap()
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

#[test]
fn a_failed_opening_releases_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db");
    fs::write(&path, "not a database").unwrap();
    error_at(&path);
    fs::remove_file(&path).unwrap();
    Database::open(DatabaseOptions::new(&path)).unwrap();
}
