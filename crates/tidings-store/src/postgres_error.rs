use std::error::Error;

/// What PostgreSQL said about a statement. Its details, which may hold what users wrote, are left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
pub struct PostgresError {
    code: String,
    message: String,
    is_stale_statement: bool,
}

impl PostgresError {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> PostgresError {
        PostgresError {
            code: code.into(),
            message: message.into(),
            is_stale_statement: false,
        }
    }

    /// The server's words, if the error is the server's and not the connection's.
    pub(crate) fn from_server(error: &tokio_postgres::Error) -> Option<PostgresError> {
        let error = error.as_db_error()?;
        let code = error.code().code();
        Some(PostgresError {
            code: code.to_owned(),
            message: error.message().replace(['\n', '\r'], " "),
            // The code says only "not supported", and the message may be in any language.
            is_stale_statement: code == "26000" || error.routine() == Some("RevalidateCachedQuery"),
        })
    }

    /// The SQLSTATE: five characters, such as `23505` for a violated `UNIQUE`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// True if another node has changed the tables under a prepared statement: prepared anew it works.
    pub(crate) fn is_stale_statement(&self) -> bool {
        self.is_stale_statement
    }

    /// True if the server ends the connection with this: it shuts down, starts up, or was told to.
    pub(crate) fn ends_connection(&self) -> bool {
        // 57P05 and 25P03: the session or its transaction was idle for too long.
        matches!(
            self.code(),
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03"
        )
    }
}

/// What went wrong with a connection, in one line.
pub(crate) fn words(error: &tokio_postgres::Error) -> String {
    if let Some(server) = PostgresError::from_server(error) {
        return server.to_string();
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        words = format!("{words}: {deeper}");
        cause = deeper.source();
    }
    words.replace(['\n', '\r'], " ")
}
