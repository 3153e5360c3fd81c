//! Tables from version to version, and databases that are not ours to open.

use std::fs;

use tempfile::TempDir;
use tidings_store::{Database, DatabaseOptions, Migrations, OpenError};

use rusqlite::Connection;

const FIRST: &str = "CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT";
const SECOND: &str = "ALTER TABLE pets ADD COLUMN kind TEXT NOT NULL DEFAULT 'cat'";
const THIRD: &str = "
    CREATE TABLE pets_3 (id INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;
    INSERT INTO pets_3 SELECT id, name || ' the ' || kind FROM pets;
    DROP TABLE pets;
    ALTER TABLE pets_3 RENAME TO pets;
";

fn pets(sqlite: &'static [&'static str]) -> Migrations {
    Migrations {
        component: "pets",
        postgres: &[],
        sqlite,
    }
}

fn open(folder: &TempDir, components: &[Migrations]) -> Result<Database, OpenError> {
    let options = DatabaseOptions::new(folder.path().join("tidings.db"));
    Database::open(
        components
            .iter()
            .copied()
            .fold(options, DatabaseOptions::component),
    )
}

pub(crate) fn assert_newer(error: &OpenError) {
    assert!(
        matches!(error, OpenError::NewerDatabase { component, found: 2, known: 1, .. } if component == "pets"),
        "{error}"
    );
}

pub(crate) fn assert_unknown(error: &OpenError) {
    assert!(
        matches!(error, OpenError::UnknownComponent { component, .. } if component == "pets"),
        "{error}"
    );
}

pub(crate) fn assert_third_fails(error: &OpenError) {
    assert!(
        matches!(
            error,
            OpenError::Migration {
                component: "pets",
                version: 3,
                ..
            }
        ),
        "{error}"
    );
}

async fn one(database: &Database, sql: &'static str) -> String {
    database
        .read(move |tx| tx.first(sql, &[], |row| row.get(0)))
        .await
        .unwrap()
        .unwrap()
}

async fn insert_one(database: Database) {
    database
        .write(|tx| tx.execute("INSERT INTO pets (name) VALUES ('Momo')", &[]))
        .await
        .unwrap();
    database.close().await;
}

#[tokio::test]
async fn each_version_keeps_the_data_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST])]).unwrap()).await;
    let second = open(&folder, &[pets(&[FIRST, SECOND])]).unwrap();
    assert_eq!(one(&second, "SELECT name || kind FROM pets").await, "Momocat");
    second.close().await;
    let third = open(&folder, &[pets(&[FIRST, SECOND, THIRD])]).unwrap();
    assert_eq!(one(&third, "SELECT label FROM pets").await, "Momo the cat");
    third.close().await;
    let same = open(&folder, &[pets(&[FIRST, SECOND, THIRD])]).unwrap();
    assert_eq!(one(&same, "SELECT label FROM pets").await, "Momo the cat");
}

#[tokio::test]
async fn several_versions_are_taken_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST])]).unwrap()).await;
    let third = open(&folder, &[pets(&[FIRST, SECOND, THIRD])]).unwrap();
    assert_eq!(one(&third, "SELECT label FROM pets").await, "Momo the cat");
}

#[tokio::test]
async fn a_component_may_join_later() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST])]).unwrap()).await;
    let shops = Migrations {
        component: "shops",
        postgres: &[],
        sqlite: &["CREATE TABLE shops (name TEXT) STRICT"],
    };
    let both = open(&folder, &[shops, pets(&[FIRST])]).unwrap();
    assert_eq!(one(&both, "SELECT name FROM pets").await, "Momo");
    assert_eq!(one(&both, "SELECT CAST(count(*) AS TEXT) FROM shops").await, "0");
}

#[tokio::test]
async fn a_newer_database_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST, SECOND])]).unwrap()).await;
    let before = fs::read(folder.path().join("tidings.db")).unwrap();
    let error = open(&folder, &[pets(&[FIRST])]).unwrap_err();
    assert_newer(&error);
    let text = error.to_string();
    assert!(
        text.contains("newer than this program") && text.contains("use the newer program"),
        "{text}"
    );
    assert_eq!(fs::read(folder.path().join("tidings.db")).unwrap(), before);
    open(&folder, &[pets(&[FIRST, SECOND])]).unwrap();
}

#[tokio::test]
async fn a_component_this_program_does_not_know_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST])]).unwrap()).await;
    let error = open(&folder, &[]).unwrap_err();
    assert_unknown(&error);
}

#[tokio::test]
async fn a_failing_step_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    insert_one(open(&folder, &[pets(&[FIRST])]).unwrap()).await;
    let error = open(&folder, &[pets(&[FIRST, SECOND, "CREATE TABLE broken ("])]).unwrap_err();
    assert_third_fails(&error);
    let first = open(&folder, &[pets(&[FIRST])]).unwrap();
    assert_eq!(one(&first, "SELECT name FROM pets").await, "Momo");
}

#[test]
fn names_of_components_are_unique() {
    for twice in [
        [pets(&[FIRST]), pets(&[FIRST])],
        [
            pets(&[FIRST]),
            Migrations {
                component: "store",
                postgres: &[],
                sqlite: &[],
            },
        ],
    ] {
        let error = Database::temporary(twice).unwrap_err();
        assert!(matches!(error, OpenError::DuplicateComponent { .. }), "{error}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_untouched() {
    for setup in [
        "CREATE TABLE bookmarks (url TEXT)",
        "PRAGMA application_id = 7",
        "PRAGMA application_id = 7; CREATE TABLE t (x)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tidings.db");
        Connection::open(&path).unwrap().execute_batch(setup).unwrap();
        let before = fs::read(&path).unwrap();
        let error = open(&folder, &[]).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{setup}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{setup}");
    }
}
