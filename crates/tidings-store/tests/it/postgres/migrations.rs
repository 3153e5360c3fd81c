//! Tables from version to version, on a database that many nodes share.

use std::sync::{Arc, Barrier};
use std::thread;

use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, DatabaseOptions, Migrations, OpenError};

use crate::migrations::{assert_newer, assert_third_fails, assert_unknown};

const FIRST: &str =
    "CREATE TABLE pets (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL); SELECT 1";
const SECOND: &str = "ALTER TABLE pets ADD COLUMN kind TEXT NOT NULL DEFAULT 'cat'";
const THIRD: &str = "
    ALTER TABLE pets ADD COLUMN label TEXT;
    UPDATE pets SET label = name || ' the ' || kind;
    ALTER TABLE pets DROP COLUMN name, DROP COLUMN kind;
";

fn pets(postgres: &'static [&'static str]) -> Migrations {
    Migrations {
        component: "pets",
        postgres,
        sqlite: &[],
    }
}

fn open(options: &DatabaseOptions, components: &[Migrations]) -> Result<Database, OpenError> {
    Database::open(
        components
            .iter()
            .copied()
            .fold(options.clone(), DatabaseOptions::component),
    )
}

async fn one(database: &Database, sql: &'static str) -> Option<String> {
    database
        .read(move |tx| tx.first(sql, &[], |row| row.get(0)))
        .await
        .unwrap()
}

async fn insert_one(database: &Database) {
    database
        .write(|tx| tx.execute("INSERT INTO pets (name) VALUES ('Momo')", &[]))
        .await
        .unwrap();
}

#[tokio::test]
async fn each_version_keeps_the_data_of_the_one_before() {
    let options = TestPostgres::shared().options();
    let first = open(&options, &[pets(&[FIRST])]).unwrap();
    insert_one(&first).await;
    let second = open(&options, &[pets(&[FIRST, SECOND])]).unwrap();
    assert_eq!(
        one(&second, "SELECT name || kind FROM pets").await.as_deref(),
        Some("Momocat")
    );
    // The node with the older program goes on meanwhile, as in a rolling restart.
    insert_one(&first).await;
    let third = open(&options, &[pets(&[FIRST, SECOND, THIRD])]).unwrap();
    assert_eq!(
        one(&third, "SELECT label FROM pets").await.as_deref(),
        Some("Momo the cat")
    );
    let same = open(&options, &[pets(&[FIRST, SECOND, THIRD])]).unwrap();
    assert_eq!(
        one(&same, "SELECT label FROM pets").await.as_deref(),
        Some("Momo the cat")
    );
}

#[test]
fn many_nodes_may_start_at_once() {
    const NODES: usize = 12;
    let options = TestPostgres::shared().options();
    // Two of them have the newer program.
    let start = Arc::new(Barrier::new(NODES));
    let nodes: Vec<_> = (0..NODES)
        .map(|_| {
            let (options, start) = (options.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                open(&options, &[pets(&[FIRST, SECOND])])
            })
        })
        .collect();
    let opened: Vec<Database> = nodes
        .into_iter()
        .map(|node| node.join().unwrap().unwrap())
        .collect();
    assert_eq!(opened.len(), NODES);
}

#[tokio::test]
async fn a_newer_database_and_an_unknown_component_are_refused() {
    let options = TestPostgres::shared().options();
    open(&options, &[pets(&[FIRST, SECOND])]).unwrap();
    let error = open(&options, &[pets(&[FIRST])]).unwrap_err();
    assert_newer(&error);
    assert!(error.to_string().contains("postgres://"), "{error}");
    let error = open(&options, &[]).unwrap_err();
    assert_unknown(&error);
}

#[tokio::test]
async fn a_failing_step_changes_nothing() {
    let options = TestPostgres::shared().options();
    let first = open(&options, &[pets(&[FIRST])]).unwrap();
    insert_one(&first).await;
    for broken in [
        "CREATE TABLE broken (",
        "SELECT 1 / 0",
        "INSERT INTO nowhere VALUES (1)",
    ] {
        let steps: &'static [&'static str] = vec![FIRST, SECOND, broken].leak();
        let error = open(&options, &[pets(steps)]).unwrap_err();
        assert_third_fails(&error);
    }
    let first = open(&options, &[pets(&[FIRST])]).unwrap();
    assert_eq!(
        one(&first, "SELECT name FROM pets").await.as_deref(),
        Some("Momo")
    );
}

#[test]
fn a_component_without_tables_for_postgres_is_refused() {
    let sqlite_only = Migrations {
        component: "pets",
        postgres: &[],
        sqlite: &["CREATE TABLE pets (id INTEGER PRIMARY KEY) STRICT"],
    };
    let error = open(&TestPostgres::shared().options(), &[sqlite_only]).unwrap_err();
    assert!(
        matches!(error, OpenError::NotForPostgres { component: "pets" }),
        "{error}"
    );
}

#[test]
fn a_schema_of_another_program_is_refused_and_untouched() {
    let server = TestPostgres::shared();
    server.sql("CREATE SCHEMA theirs; CREATE TABLE theirs.bookmarks (url TEXT)");
    let options = server.options().schema("theirs").unwrap();
    let error = open(&options, &[]).unwrap_err();
    assert!(
        matches!(&error, OpenError::ForeignSchema { schema, .. } if schema == "theirs"),
        "{error}"
    );
    let tables = server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs'");
    assert_eq!(tables.as_deref(), Some("1"));
}

#[tokio::test]
async fn schemas_of_one_database_are_strangers_to_each_other() {
    let server = TestPostgres::shared();
    let blue = open(&server.options(), &[pets(&[FIRST])]).unwrap();
    let green = open(&server.options(), &[pets(&[FIRST])]).unwrap();
    insert_one(&blue).await;
    assert_eq!(one(&green, "SELECT name FROM pets").await, None);
    assert_ne!(blue.location(), green.location());
}
