use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::OpenError;

/// The tables of one component of the program, version by version.
///
/// The versions a database has reached stand in it, by component. A database that holds a newer version, or a component
/// that this program does not have, is refused.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The component's name, such as `proactive`. It never changes.
    pub component: &'static str,
    /// SQL that takes the tables from version n to version n + 1; the first one creates them. Entries are only ever
    /// added: one that was released never changes. All run in one transaction, with foreign keys enforced.
    pub sqlite: &'static [&'static str],
    /// The same for PostgreSQL, which has versions of its own.
    pub postgres: &'static [&'static str],
}

impl Migrations {
    fn latest(&self) -> u32 {
        u32::try_from(self.sqlite.len()).unwrap_or(u32::MAX)
    }
}

/// The tables of this crate.
const OWN: Migrations = Migrations {
    component: "store",
    postgres: &[],
    sqlite: &[super::documents::TABLES],
};

/// "Tdng": marks the file as a Tidings database.
const APPLICATION_ID: i32 = 0x5464_6e67;

/// The components with this crate's own in front.
pub(super) fn with_own(components: Vec<Migrations>) -> Result<Vec<Migrations>, OpenError> {
    let mut all: Vec<Migrations> = vec![OWN];
    for component in components {
        if all.iter().any(|known| known.component == component.component) {
            return Err(OpenError::DuplicateComponent {
                component: component.component,
            });
        }
        all.push(component);
    }
    Ok(all)
}

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
                path: path.to_owned(),
                component,
            });
        };
        if found > known.latest() {
            let known = known.latest();
            return Err(OpenError::NewerDatabase {
                path: path.to_owned(),
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
                    OpenError::Other { path, source } => OpenError::Migration {
                        path,
                        component,
                        version,
                        source,
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
