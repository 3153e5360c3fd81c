//! The one database of the server, with the tables of every floor.

use std::path::Path;

use tidings_store::{Backup, BackupError, BackupWatch, Database, DatabaseOptions, OpenError};

use crate::config::Config;
use crate::schema;
use crate::start_error::StartError;

/// Whether the database that `config` names is there: [`open_database`] would create it, or its tables in PostgreSQL.
///
/// # Errors
///
/// [`StartError::Database`] if no version of this server could open what is named, or the server that has it does not
/// answer.
pub fn database_exists(config: &Config) -> Result<bool, StartError> {
    let options = database_options(config)?;
    match options.path() {
        Some(path) => Ok(path.exists()),
        None => Ok(Database::inspect(options)?.exists()),
    }
}

/// The database that `config` names, for people to read: without user, password and parameters.
#[must_use]
pub fn database_name(config: &Config) -> String {
    without_secrets(&config.database)
}

/// An address of a database as it may be shown. A path is shown as it is.
pub(crate) fn without_secrets(url: &str) -> String {
    let Some((scheme @ ("postgres" | "postgresql"), rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let before_parameters = rest.split('?').next().unwrap_or(rest);
    let shown = match (before_parameters.rsplit_once('@'), rest.contains('@')) {
        (Some((_, host)), _) => host,
        // A question mark in a password that is not encoded.
        (None, true) => "...",
        (None, false) => before_parameters,
    };
    format!("{scheme}://{shown}")
}

/// Opens the database that `config` names, as the server does, and creates it where there is none. It blocks for as
/// long as that takes.
///
/// For programs that look into the database of a server that does not run. While one runs, an SQLite file is locked; a
/// PostgreSQL database is for any number of them.
///
/// # Errors
///
/// [`StartError::Database`]; the message says what to do.
pub fn open_database(config: &Config) -> Result<Database, StartError> {
    Ok(Database::open(database_options(config)?)?)
}

/// Copies the database that `config` names into the file `target`: [`Database::back_up`].
///
/// # Errors
///
/// [`BackupError`]; the message says what to do.
pub fn back_up_database(
    config: &Config,
    target: &Path,
    overwrite: bool,
    watch: &BackupWatch,
) -> Result<Backup, BackupError> {
    Database::back_up(database_options(config)?, target, overwrite, watch)
}

/// What the database is opened with: its place, its largest size and the tables of every floor.
pub(crate) fn database_options(config: &Config) -> Result<DatabaseOptions, OpenError> {
    let place = DatabaseOptions::from_url(&config.database)?;
    Ok(with_components(place, config))
}

pub(crate) fn with_components(place: DatabaseOptions, config: &Config) -> DatabaseOptions {
    let options = place
        .component(tidings_bot::MIGRATIONS)
        .component(tidings_proactive::MIGRATIONS)
        .component(tidings_directline::MIGRATIONS)
        .component(schema::MIGRATIONS);
    match config.database_max_pages {
        Some(pages) => options.max_pages(pages),
        None => options,
    }
}

#[cfg(test)]
mod schemas;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        for (url, shown) in [
            ("sqlite://tidings.db", "sqlite://tidings.db"),
            ("/var/lib/a@b?c.db", "/var/lib/a@b?c.db"),
            ("postgres://db.example/bots", "postgres://db.example/bots"),
            (
                "postgres://me:sesame@db.example:5433/bots",
                "postgres://db.example:5433/bots",
            ),
            (
                "postgresql://me:ses/@me@db.example/bots",
                "postgresql://db.example/bots",
            ),
            ("postgres://me:ses?me@db.example/bots", "postgres://..."),
            (
                "postgres://db.example/bots?password=sesame",
                "postgres://db.example/bots",
            ),
            (
                "postgres://me@/bots?host=/run&password=ses@me",
                "postgres:///bots",
            ),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
        }
    }
}
