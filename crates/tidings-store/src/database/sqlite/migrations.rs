use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::{Migrations, OpenError};

/// "Tdng": marks the file as a Tidings database.
const APPLICATION_ID: i32 = 0x5464_6e67;

/// Refuses a file that is not ours to write, without writing to it.
pub(super) fn check(
    connection: &Connection,
    path: &Path,
    components: &[Migrations],
) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::from_sqlite(path, source);
    let is_empty = connection
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
        .optional()
        .map_err(sqlite)?
        .is_none();
    let application_id: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(sqlite)?;
    let is_ours = application_id == APPLICATION_ID || (is_empty && application_id == 0);
    if !is_ours {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    if is_empty {
        return Ok(());
    }
    for (component, found) in versions(connection).map_err(sqlite)? {
        let Some(known) = components.iter().find(|known| known.component == component) else {
            return Err(OpenError::UnknownComponent {
                database: path.display().to_string(),
                component,
            });
        };
        if found > known.latest_sqlite() {
            let known = known.latest_sqlite();
            return Err(OpenError::NewerDatabase {
                database: path.display().to_string(),
                component,
                found,
                known,
            });
        }
    }
    Ok(())
}

/// Brings every component to its latest version, in one transaction.
pub(super) fn run(
    connection: &mut Connection,
    path: &Path,
    components: &[Migrations],
) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::from_sqlite(path, source);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS tidings_components (
                 component TEXT PRIMARY KEY,
                 version INTEGER NOT NULL
             ) STRICT, WITHOUT ROWID",
        )
        .map_err(sqlite)?;
    let reached = versions(&transaction).map_err(sqlite)?;
    if reached.is_empty() {
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(sqlite)?;
    }
    for Migrations {
        component,
        sqlite: steps,
        ..
    } in components
    {
        let from = reached.get(*component).copied().unwrap_or(0);
        for (version, step) in (1..).zip(*steps).skip(from as usize) {
            transaction
                .execute_batch(step)
                .map_err(|source| match OpenError::from_sqlite(path, source) {
                    OpenError::Other { source, .. } => OpenError::Migration {
                        database: path.display().to_string(),
                        component,
                        version,
                        source: Box::new(source),
                    },
                    known => known,
                })?;
            transaction
                .execute(
                    "INSERT INTO tidings_components (component, version) VALUES (?1, ?2)
                     ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                    (component, version),
                )
                .map_err(sqlite)?;
        }
    }
    transaction.commit().map_err(sqlite)
}

fn versions(connection: &Connection) -> rusqlite::Result<HashMap<String, u32>> {
    let mut statement = connection.prepare("SELECT component, version FROM tidings_components")?;
    statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
