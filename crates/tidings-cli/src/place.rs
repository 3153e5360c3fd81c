//! Where a command finds keys and the audit: at a running server, or in the database of one that does not run.
//!
//! The first key of a server that asks for keys has to be made before anybody could ask it for one.

use std::sync::Arc;

use tidings_server::{Config, Keys, Scope, database_exists, database_name, open_database};
use tidings_store::{Database, SystemClock};

use crate::Failure;
use crate::api::Api;
use crate::arguments::Place;
use crate::request::Ask;

/// What was found.
pub(crate) enum Found {
    /// The answer of a server, as it came.
    Server(Api, String),
    /// No server, but the database.
    Database(Database),
}

impl Place {
    /// Asks the server, or opens the database. The database is created only if the command `makes` something.
    pub(crate) async fn find(&self, ask: Ask, scope: Scope, makes: bool) -> Result<Found, Failure> {
        let config = Config::load(&self.flags())?;
        let api = Api::new(&self.access, &config);
        if self.access.server.is_some() {
            let body = api.ask(ask, scope).await?;
            return Ok(Found::Server(api, body));
        }
        if self.database.is_none()
            && let Some(body) = api.ask_if_there(ask, scope).await?
        {
            return Ok(Found::Server(api, body));
        }
        if !makes && !database_exists(&config)? {
            return Err(Failure::NoServer(format!(
                "there is neither a running server nor the database {}: name one with --server URL or --database URL",
                database_name(&config)
            )));
        }
        match open_database(&config) {
            Ok(database) => Ok(Found::Database(database)),
            Err(error) if error.exit_code() == 75 => Err(Failure::Locked(format!(
                "{error}. Or ask that server: name it with --server URL, and put a key with the scope {scope} into \
                 TIDINGS_API_KEY if it wants one"
            ))),
            Err(error) => Err(error.into()),
        }
    }
}

/// The keys in a database.
pub(crate) async fn keys(database: &Database) -> Result<Keys, Failure> {
    Keys::open(database.clone(), Arc::new(SystemClock))
        .await
        .map_err(|error| Failure::Other(error.to_string()))
}
