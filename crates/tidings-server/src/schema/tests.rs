//! Both engines hold the same: the same tables with the same columns, of the kinds that go together.

use std::collections::BTreeMap;

use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Database, DatabaseOptions, Dialect, StoreError, Tx};

use crate::config::Config;
use crate::database::with_components;

/// By the name of the table: the columns, sorted, as name, kind and whether they may be NULL.
type Tables = BTreeMap<String, Vec<(String, String, bool)>>;

fn open(place: DatabaseOptions) -> Database {
    Database::open(with_components(place, &Config::default())).unwrap()
}

fn tables(tx: &Tx<'_>) -> Result<Tables, StoreError> {
    let sql = match tx.dialect() {
        // A primary key is never NULL, although SQLite says so only of some.
        Dialect::Sqlite => {
            r#"SELECT t.name, c.name, c.type, c."notnull" = 0 AND c.pk = 0
               FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'"#
        }
        Dialect::Postgres => {
            "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT), is_nullable = 'YES'
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
    };
    let columns = tx.all(sql, &[], |row| {
        let column: (String, String, bool) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get::<String>(0)?, column))
    })?;
    let mut tables = Tables::new();
    for (table, column) in columns {
        tables.entry(table).or_default().push(column);
    }
    tables.values_mut().for_each(|columns| columns.sort_unstable());
    Ok(tables)
}

/// What PostgreSQL may keep what SQLite keeps as `kind`.
fn go_together(kind: &str, in_postgres: &str) -> bool {
    match kind {
        "INTEGER" => matches!(in_postgres, "bigint" | "integer" | "boolean"),
        "TEXT" => in_postgres == "text",
        "BLOB" => in_postgres == "bytea",
        "REAL" => in_postgres == "double precision",
        _ => false,
    }
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let sqlite = open(DatabaseOptions::temporary()).read(tables).await.unwrap();
    let postgres = open(TestPostgres::shared().options()).read(tables).await.unwrap();
    assert!(sqlite.len() > 10, "the tables are read");
    let mut differences = Vec::new();
    for name in sqlite
        .keys()
        .chain(postgres.keys())
        .filter(|name| !OF_THE_STORE.contains(&name.as_str()))
    {
        let (Some(here), Some(there)) = (sqlite.get(name), postgres.get(name)) else {
            differences.push(format!("{name} is a table of one engine only"));
            continue;
        };
        let names = |columns: &[(String, String, bool)]| -> Vec<String> {
            columns.iter().map(|(name, ..)| name.clone()).collect()
        };
        if names(here) != names(there) {
            differences.push(format!("{name}: {:?} and {:?}", names(here), names(there)));
            continue;
        }
        for ((column, kind, nullable), (_, other_kind, other_nullable)) in here.iter().zip(there) {
            // What SQLite was given later may be NULL there, and is not used there.
            let is_later = DIFFERENT_NULLS.contains(&(name.as_str(), column.as_str()));
            if !go_together(kind, other_kind) || (nullable != other_nullable && !is_later) {
                differences.push(format!(
                    "{name}.{column}: {kind} (NULL: {nullable}) and {other_kind} (NULL: {other_nullable})"
                ));
            }
        }
    }
    differences.sort_unstable();
    differences.dedup();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The documents: on SQLite with a number for the order on the disk and a table that counts versions, which is a sequence on
/// PostgreSQL.
const OF_THE_STORE: [&str; 2] = ["documents", "document_version"];

/// Columns that only PostgreSQL needs, and therefore has without NULL.
const DIFFERENT_NULLS: [(&str, &str); 2] = [
    ("bot_acknowledged", "holder"),
    ("bot_acknowledged", "held_until_ms"),
];
