//! The tables of every floor are the same on both engines.

use std::collections::BTreeMap;

use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Dialect, Row, StoreError};

use super::*;

/// Columns by table and name: what they hold, and whether they must.
type Columns = BTreeMap<(String, String), (&'static str, bool)>;

/// What one engine has and the other does not need.
const OWN: [(&str, &str); 5] = [
    // A sequence in PostgreSQL.
    ("document_version", "id"),
    ("document_version", "last"),
    // SQLite's rows are short if the key that others refer to is.
    ("documents", "id"),
    // Only several nodes need it, so only PostgreSQL insists on it.
    ("bot_acknowledged", "holder"),
    ("bot_acknowledged", "held_until_ms"),
];

fn config(database: String) -> Config {
    Config {
        database,
        ..Config::default()
    }
}

fn kind(engine_type: &str) -> &'static str {
    match engine_type {
        // A truth is 0 or 1 in SQLite.
        "INTEGER" | "BIGINT" | "BOOLEAN" | "SMALLINT" => "number",
        "TEXT" => "text",
        "BLOB" | "BYTEA" => "bytes",
        "REAL" | "DOUBLE PRECISION" => "floating",
        other => panic!("no column should have the type {other}"),
    }
}

/// Table and name of a column, and its kind and whether it may be NULL.
type Column = ((String, String), (&'static str, bool));

fn column(row: &Row<'_>) -> Result<Column, StoreError> {
    let engine_type = row.text(2)?.to_uppercase();
    Ok(((row.get(0)?, row.get(1)?), (kind(&engine_type), row.get(3)?)))
}

async fn columns(database: &Database) -> Columns {
    const SQLITE: &str = "
        SELECT tables.name, columns.name, columns.type, columns.\"notnull\" OR columns.pk > 0
        FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns
        WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'";
    const POSTGRES: &str = "
        SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT), is_nullable = 'NO'
        FROM information_schema.columns WHERE table_schema = current_schema()";
    let select = match database.dialect() {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let mut columns: Columns = database
        .read(move |tx| tx.all(select, &[], column))
        .await
        .unwrap()
        .into_iter()
        .collect();
    columns.retain(|(table, column), _| !OWN.contains(&(table, column)));
    columns
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db").display().to_string();
    let sqlite = columns(&open_database(&config(path)).unwrap()).await;
    let postgres = columns(&open_database(&config(TestPostgres::shared().url())).unwrap()).await;
    let differ = |one: &Columns, other: &Columns| -> Vec<String> {
        one.iter()
            .filter(|(name, column)| other.get(*name) != Some(*column))
            .map(|(name, column)| format!("{name:?} {column:?}"))
            .collect()
    };
    assert!(sqlite.len() > 50, "{} columns were found", sqlite.len());
    assert_eq!(differ(&sqlite, &postgres), differ(&postgres, &sqlite));
}

#[tokio::test]
async fn a_database_is_there_once_it_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db").display().to_string();
    for database in [path, TestPostgres::shared().url()] {
        let config = config(database);
        assert!(!database_exists(&config).unwrap());
        open_database(&config).unwrap().close().await;
        assert!(database_exists(&config).unwrap());
    }
}
