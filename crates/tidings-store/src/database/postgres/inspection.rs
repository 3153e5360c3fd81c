use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::connector::Connector;
use super::server_url::ServerUrl;
use super::tx::{Access, PostgresTx};
use super::{apart, migrations};
use crate::{Migrations, OpenError, StoreError, Tx};

/// A look at a PostgreSQL database.
pub(in crate::database) struct PostgresInspection {
    pub(in crate::database) url: ServerUrl,
    /// `None` if there are no tables yet.
    tx: Option<Mutex<PostgresTx>>,
}

impl PostgresInspection {
    pub(in crate::database) fn new(
        url: ServerUrl,
        components: &[Migrations],
        statement_timeout: Duration,
    ) -> Result<PostgresInspection, OpenError> {
        let connector = Connector::new(url.clone(), statement_timeout)?;
        let tx = apart(|| {
            let tx = PostgresTx::new(connector.connect("")?, &connector.server, Access::Read);
            if migrations::check(&connector, &Tx::postgres(&tx), components)?.is_some() {
                return Ok(Some(Mutex::new(tx)));
            }
            may_create(&connector, &Tx::postgres(&tx)).map(|()| None)
        })?;
        Ok(PostgresInspection { url, tx })
    }

    pub(in crate::database) fn exists(&self) -> bool {
        self.tx.is_some()
    }

    pub(in crate::database) fn read<T: Send>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send,
    ) -> Result<Option<T>, StoreError> {
        let Some(tx) = &self.tx else { return Ok(None) };
        apart(|| work(&Tx::postgres(&tx.lock().unwrap_or_else(PoisonError::into_inner)))).map(Some)
    }
}

/// Refuses where the tables could not be created.
fn may_create(connector: &Connector, tx: &Tx<'_>) -> Result<(), OpenError> {
    let allowed: Result<Option<bool>, StoreError> = tx.first(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = ?1)
                THEN has_schema_privilege(?1, 'CREATE')
                ELSE has_database_privilege(current_database(), 'CREATE') END",
        crate::params![connector.url.schema],
        |row| row.get(0),
    );
    match allowed.map_err(|error| migrations::open_error(connector, error))? {
        Some(true) => Ok(()),
        _ => Err(OpenError::Postgres {
            server: connector.server.clone(),
            source: format!("user {:?} may not create tables there", connector.url.user()).into(),
        }),
    }
}
