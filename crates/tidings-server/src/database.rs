//! The one database of the server, with the tables of every floor.

use std::path::Path;

use tidings_store::{Backup, BackupError, BackupWatch, Database, DatabaseOptions, OpenError};

use crate::config::Config;
use crate::schema;
use crate::start_error::StartError;

/// Whether the database that `config` names is there: [`open_database`] would create it.
///
/// # Errors
///
/// [`StartError::Database`] if this server could not open what is named.
pub fn database_exists(config: &Config) -> Result<bool, StartError> {
    let options = database_options(config)?;
    match options.path() {
        Some(path) => Ok(path.exists()),
        None => Ok(Database::inspect(options)?.exists()),
    }
}

/// Opens the database that `config` names, as the server does, and creates it where there is none. It blocks for as
/// long as that takes.
///
/// For programs that look into the database of a server that does not run. While one runs, the file is locked.
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
    let options = DatabaseOptions::from_url(&config.database)?
        .component(tidings_bot::MIGRATIONS)
        .component(tidings_proactive::MIGRATIONS)
        .component(tidings_directline::MIGRATIONS)
        .component(schema::MIGRATIONS);
    Ok(match config.database_max_pages {
        Some(pages) => options.max_pages(pages),
        None => options,
    })
}
