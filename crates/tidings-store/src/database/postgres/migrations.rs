//! The tables of all components, brought to their latest versions by whichever node comes first.

use std::collections::HashMap;
use std::time::Duration;

use super::connector::Connector;
use super::session::Session;
use super::tx::{Access, PostgresTx};
use crate::{Migrations, OpenError, StoreError, Tx, params};

/// How long a step may take, and how long another node's steps are waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// "Tdng": the class of our advisory locks.
const LOCK_CLASS: i64 = 0x5464_6e67;

/// Connects, and brings the tables to the versions of the given components. The connection is a writer's then.
pub(super) fn open(connector: &Connector, components: &[Migrations]) -> Result<Session, OpenError> {
    if let Some(component) = components
        .iter()
        .find(|component| component.postgres.is_empty() && !component.sqlite.is_empty())
    {
        return Err(OpenError::NotForPostgres {
            component: component.component,
        });
    }
    let mut session = connector.connect("")?;
    let patience = session.set_patience(PATIENCE);
    let tx = PostgresTx::new(session, &connector.server, Access::Write);
    let outcome = bring(connector, &tx, components);
    let undo = |_: &OpenError| StoreError::message("not opened");
    let (mut session, ended) = tx.end(outcome.as_ref().copied().map_err(undo));
    outcome?;
    ended.map_err(|error| open_error(connector, error))?;
    session.set_patience(patience);
    let prepared = session.batch(Access::Write.settings());
    prepared.map_err(|failure| connector.open_failure(failure))?;
    Ok(session)
}

fn bring(connector: &Connector, tx: &PostgresTx, components: &[Migrations]) -> Result<(), OpenError> {
    let other = |error| open_error(connector, error);
    let portable = Tx::postgres(tx);
    // The usual case first: nothing to do, and nobody to wait for.
    if is_reached(
        &check(connector, &portable, components)?.unwrap_or_default(),
        components,
    ) {
        return Ok(());
    }
    tx.script("SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO 0")
        .map_err(other)?;
    portable
        .execute(
            "SELECT pg_advisory_xact_lock(CAST(?1 AS INTEGER), hashtext(?2))",
            params![LOCK_CLASS, connector.url.schema],
        )
        .map_err(other)?;
    // Another node may have been faster.
    let reached = match check(connector, &portable, components)? {
        Some(reached) => reached,
        None => {
            create(connector, tx).map_err(other)?;
            HashMap::new()
        }
    };
    for Migrations {
        component,
        postgres: steps,
        ..
    } in components
    {
        let from = reached.get(*component).copied().unwrap_or(0);
        for (version, step) in (1_u32..).zip(*steps).skip(from as usize) {
            tx.script(step).map_err(|error| match error {
                StoreError::Postgres(source) => OpenError::Migration {
                    database: connector.url.to_string(),
                    component,
                    version,
                    source: Box::new(source),
                },
                known => open_error(connector, known),
            })?;
            portable
                .execute(
                    "INSERT INTO tidings_components (component, version) VALUES (?1, ?2)
                     ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                    params![component, version],
                )
                .map_err(other)?;
        }
    }
    Ok(())
}

fn create(connector: &Connector, tx: &PostgresTx) -> Result<(), StoreError> {
    let schema = &connector.url.schema;
    // It may have been made for a user who may make none.
    let is_there =
        Tx::postgres(tx).exists("SELECT 1 FROM pg_namespace WHERE nspname = ?1", params![schema])?;
    if !is_there {
        tx.script(&format!("CREATE SCHEMA {schema}"))?;
    }
    tx.script("CREATE TABLE tidings_components (component TEXT PRIMARY KEY, version INTEGER NOT NULL)")
}

/// The versions that the components have reached; `None` if there are no tables yet. Refuses a schema that is not ours
/// to write.
pub(super) fn check(
    connector: &Connector,
    tx: &Tx<'_>,
    components: &[Migrations],
) -> Result<Option<HashMap<String, u32>>, OpenError> {
    let other = |error| open_error(connector, error);
    let schema = &connector.url.schema;
    let tables: Vec<bool> = tx
        .all(
            "SELECT relname = 'tidings_components' FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
             WHERE nspname = ?1 AND relkind IN ('r', 'p', 'v', 'm', 'f')",
            params![schema],
            |row| row.get(0),
        )
        .map_err(other)?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.contains(&true) {
        return Err(OpenError::ForeignSchema {
            server: connector.server.clone(),
            schema: schema.clone(),
        });
    }
    let reached: Vec<(String, u32)> = tx
        .all("SELECT component, version FROM tidings_components", &[], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(other)?;
    for (component, found) in &reached {
        let database = connector.url.to_string();
        let component = component.clone();
        let Some(known) = components.iter().find(|known| known.component == component) else {
            return Err(OpenError::UnknownComponent { database, component });
        };
        let (found, known) = (*found, known.latest_postgres());
        if found > known {
            return Err(OpenError::NewerDatabase {
                database,
                component,
                found,
                known,
            });
        }
    }
    Ok(Some(reached.into_iter().collect()))
}

fn is_reached(reached: &HashMap<String, u32>, components: &[Migrations]) -> bool {
    components.iter().all(|component| {
        reached.get(component.component).copied().unwrap_or(0) == component.latest_postgres()
    })
}

/// Why a statement failed while the database was opened.
pub(super) fn open_error(connector: &Connector, error: StoreError) -> OpenError {
    let server = connector.server.clone();
    match error {
        StoreError::Full { .. } => OpenError::Full {
            database: connector.url.to_string(),
        },
        StoreError::Postgres(source) => OpenError::Postgres {
            server,
            source: Box::new((*source).clone()),
        },
        StoreError::Gone { reason, .. } => OpenError::Unreachable {
            server,
            source: reason.into(),
        },
        other => OpenError::Postgres {
            server,
            source: Box::new(other),
        },
    }
}
