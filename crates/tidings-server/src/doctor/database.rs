//! The database: there or possible, and a file nobody else's.

use tidings_store::{Database, Inspection, OpenError};

use super::Finding;
use crate::config::Config;
use crate::database::database_options;

/// Also what was found in it. `served`: a Tidings server listens on the configured address.
pub(super) fn check(config: &Config, served: bool) -> (Finding, Option<Inspection>) {
    let inspection = match database_options(config).and_then(Database::inspect) {
        Ok(inspection) => inspection,
        Err(error) => return (failed(&error), None),
    };
    let place = inspection.location();
    if inspection.path().is_none() {
        let says = match inspection.exists() {
            true => format!("{place} answers and has the tables"),
            false => format!("{place} answers; the server makes its tables when it starts"),
        };
        return (Finding::ok("database", says), Some(inspection));
    }
    let finding = match (inspection.holder(), inspection.exists()) {
        (Some(holder), _) if served => Finding::ok(
            "database",
            format!("{place} is in use by {holder}, a running server"),
        ),
        (Some(holder), _) => Finding::failed(
            "database",
            format!(
                "{place} is in use by {holder}, which does not listen on {}",
                config.listen
            ),
            "stop that process, or choose another database with TIDINGS_DATABASE or --database",
        ),
        (None, true) => Finding::ok("database", format!("{place} can be written")),
        (None, false) => Finding::ok("database", format!("{place} is not there yet and can be created")),
    };
    (finding, Some(inspection))
}

fn failed(error: &OpenError) -> Finding {
    // These messages end with what to do.
    let text = error.to_string();
    match text.rsplit_once(": ") {
        Some((says, fix)) => Finding::failed("database", says, fix),
        None => Finding::failed("database", text, "choose another database with TIDINGS_DATABASE"),
    }
}
