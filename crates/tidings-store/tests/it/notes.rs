use tidings_store::{Database, DatabaseOptions, Migrations, StoreError, Tx, params};

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

pub(crate) fn insert(tx: &Tx<'_>, text: &str) -> Result<(), StoreError> {
    tx.execute("INSERT INTO notes (text) VALUES (?1)", params![text])?;
    Ok(())
}

/// Adds a note in an operation of its own.
pub(crate) async fn add(database: Database, text: impl Into<String>) -> Result<(), StoreError> {
    let text = text.into();
    database.write(move |tx| insert(tx, &text)).await
}

/// The notes in the order in which they were added.
pub(crate) async fn all(database: &Database) -> Vec<String> {
    database.read(texts).await.unwrap()
}

pub(crate) fn texts(tx: &Tx<'_>) -> Result<Vec<String>, StoreError> {
    tx.all("SELECT text FROM notes ORDER BY id", &[], |row| row.get(0))
}
