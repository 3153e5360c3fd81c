//! A look at a database changes nothing, whether a server has it open or not.

use std::fs;

use tidings_store::{Database, DatabaseOptions, Migrations, OpenError};

use crate::notes;

#[test]
fn what_is_not_there_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let inspection = Database::inspect(notes::options(&folder)).unwrap();
    assert!(
        !inspection.exists()
            && inspection.read(|_| Ok(())).unwrap().is_none()
            && inspection.holder().is_none()
    );
    assert_eq!(
        inspection.path(),
        Some(folder.path().join("tidings.db").as_path())
    );
    assert_eq!(notes::files(&folder), [""; 0]);
    let nowhere = DatabaseOptions::new(folder.path().join("missing/tidings.db"));
    let error = Database::inspect(nowhere).unwrap_err();
    assert!(matches!(error, OpenError::FolderMissing { .. }), "{error}");
    assert!(Database::inspect(DatabaseOptions::temporary()).is_err());
}

#[tokio::test]
async fn a_closed_database_is_read_and_kept_from_others_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    notes::add(database.clone(), "kept").await.unwrap();
    database.close().await;
    let before = notes::files(&folder);
    // It is not brought to the versions of the given components.
    let newer = Migrations {
        component: "more",
        postgres: &[],
        sqlite: &["CREATE TABLE more (id INTEGER PRIMARY KEY) STRICT"],
    };
    let inspection = Database::inspect(notes::options(&folder).component(newer)).unwrap();
    assert_eq!(inspection.holder(), None);
    assert_eq!(inspection.read(notes::texts).unwrap().unwrap(), ["kept"]);
    assert!(
        inspection
            .read(|tx| tx.exists("SELECT * FROM more", &[]))
            .is_err()
    );
    let error = Database::open(notes::options(&folder)).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(inspection);
    assert_eq!(notes::files(&folder), before);
    assert_eq!(
        notes::all(&Database::open(notes::options(&folder)).unwrap()).await,
        ["kept"]
    );
}

#[tokio::test]
async fn an_open_database_is_read_beside_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    notes::add(database.clone(), "first").await.unwrap();
    let inspection = Database::inspect(notes::options(&folder)).unwrap();
    assert_eq!(inspection.holder(), Some("this very process"));
    assert_eq!(inspection.read(notes::texts).unwrap().unwrap(), ["first"]);
    notes::add(database.clone(), "second").await.unwrap();
    drop(inspection);
    assert_eq!(notes::all(&database).await, ["first", "second"]);
}

#[test]
fn what_is_no_database_is_refused_as_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db");
    for (length, text) in [(100, "short"), (1000, "long")] {
        fs::write(&path, "x".repeat(length)).unwrap();
        let error = Database::inspect(notes::options(&folder)).unwrap_err();
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{text}: {error}");
        assert_eq!(fs::read(&path).unwrap().len(), length);
    }
}
