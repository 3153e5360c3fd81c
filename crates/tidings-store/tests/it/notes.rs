use tidings_store::{Database, DatabaseOptions, Migrations, StoreError};

/// A table to try things on.
pub(crate) const NOTES: Migrations = Migrations {
    component: "notes",
    postgres: &[],
    sqlite: &["CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT"],
};

pub(crate) fn temporary() -> Database {
    Database::temporary([NOTES]).unwrap()
}

pub(crate) fn options(folder: &tempfile::TempDir) -> DatabaseOptions {
    DatabaseOptions::new(folder.path().join("tidings.db")).component(NOTES)
}

pub(crate) fn insert(connection: &rusqlite::Connection, text: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO notes (text) VALUES (?1)")?
        .execute([text])?;
    Ok(())
}

/// Adds a note in an operation of its own.
pub(crate) async fn add(database: Database, text: impl Into<String>) -> Result<(), StoreError> {
    let text = text.into();
    database.write(move |connection| insert(connection, &text)).await
}

/// The notes in the order in which they were added.
pub(crate) async fn all(database: &Database) -> Vec<String> {
    database.read(texts).await.unwrap()
}

pub(crate) fn texts(connection: &rusqlite::Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT text FROM notes ORDER BY id")?;
    Ok(statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}
