use std::cell::{Cell, RefCell};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::session::{Answer, Failure, Session, Want};
use super::statement::controls_transaction;
use crate::StoreError;
use crate::column::{ColumnRef, ToColumn};

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

impl Access {
    /// What a connection is set to. Writers find their rows by an index, also where a statement was planned while its
    /// tables were empty; and they plan each statement once, which costs as much as running most of them.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Access::Write => {
                "SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off;
                 SET enable_hashjoin TO off; SET enable_mergejoin TO off"
            }
            Access::Read => "",
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
            // One state of the database for all its statements.
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// A transaction on a connection, which it owns meanwhile. It begins with its first statement.
pub(crate) struct PostgresTx {
    session: RefCell<Session>,
    server: String,
    access: Access,
    begun: Cell<bool>,
    /// What the server refused. It then refuses everything up to the rollback.
    failure: RefCell<Option<StoreError>>,
}

impl PostgresTx {
    pub(super) fn new(session: Session, server: &str, access: Access) -> PostgresTx {
        PostgresTx {
            session: RefCell::new(session),
            server: server.to_owned(),
            access,
            begun: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    pub(crate) fn execute(&self, sql: &str, params: &[&dyn ToColumn]) -> Result<usize, StoreError> {
        let answer = self.ask(sql, "", params, Want::Count)?;
        usize::try_from(answer.count).map_err(StoreError::other)
    }

    pub(crate) fn insert(
        &self,
        sql: &str,
        id_column: &str,
        params: &[&dyn ToColumn],
    ) -> Result<Option<i64>, StoreError> {
        let answer = self.ask(sql, &format!(" RETURNING {id_column}"), params, Want::Rows)?;
        let id = answer.rows.first().map(|row| row.try_get(0));
        id.transpose().map_err(StoreError::other)
    }

    pub(crate) fn rows(&self, sql: &str, params: &[&dyn ToColumn]) -> Result<Vec<Row>, StoreError> {
        Ok(self.ask(sql, "", params, Want::Rows)?.rows)
    }

    /// Runs statements that have no parameters, separated by semicolons.
    pub(crate) fn script(&self, sql: &str) -> Result<(), StoreError> {
        if let Some(failure) = &*self.failure.borrow() {
            return Err(failure.clone());
        }
        if controls_transaction(sql) {
            return Err(self.fail(ended_transaction()));
        }
        let mut session = self.session.borrow_mut();
        if !self.begun.replace(true) {
            session
                .batch(self.access.begin())
                .map_err(|failure| self.failed(failure))?;
        }
        session.batch(sql).map_err(|failure| self.failed(failure))
    }

    fn ask(
        &self,
        sql: &str,
        suffix: &str,
        params: &[&dyn ToColumn],
        want: Want,
    ) -> Result<Answer, StoreError> {
        if let Some(failure) = &*self.failure.borrow() {
            return Err(failure.clone());
        }
        let mut session = self.session.borrow_mut();
        let statement = match session.prepare(sql, suffix) {
            Ok(_) if controls_transaction(sql) => {
                return Err(self.fail(ended_transaction()));
            }
            Ok(statement) => statement,
            Err(failure) => return Err(self.failed(failure)),
        };
        let columns = params.iter().map(|param| ColumnRef::of_param(*param));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let params: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| column as _).collect();
        let begin = (!self.begun.replace(true)).then(|| self.access.begin());
        session
            .ask(begin, &statement, &params, want)
            .map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Refused(error) => self.fail(error.into()),
            Failure::Gone(reason) => self.fail(self.gone(reason)),
            Failure::Unsent(reason) => {
                StoreError::message(format!("a database statement cannot be sent: {reason}"))
            }
        }
    }

    fn fail(&self, error: StoreError) -> StoreError {
        *self.failure.borrow_mut() = Some(error.clone());
        error
    }

    fn gone(&self, reason: String) -> StoreError {
        StoreError::Gone {
            server: self.server.clone(),
            reason,
        }
    }

    /// Commits if the operation and all its statements succeeded, else undoes it. Gives the connection back.
    pub(super) fn end<T>(self, result: Result<T, StoreError>) -> (Session, Result<T, StoreError>) {
        let mut session = self.session.into_inner();
        // An operation may have passed over an error; PostgreSQL does not.
        let result = match self.failure.into_inner() {
            Some(failure) => result.and(Err(failure)),
            None => result,
        };
        if !self.begun.get() || !session.stands() {
            return (session, result);
        }
        let Ok(value) = result else {
            // If that fails, the connection has ended, and the transaction with it.
            let _ = session.batch("ROLLBACK");
            return (session, result);
        };
        let ended = match (session.batch("COMMIT"), self.access) {
            (Ok(()), _) | (Err(_), Access::Read) => Ok(value),
            (Err(Failure::Refused(error)), Access::Write) => Err(StoreError::from(error).uncommitted()),
            (Err(Failure::Unsent(_) | Failure::Gone(_)), Access::Write) => {
                Err(StoreError::Unknown { server: self.server })
            }
        };
        (session, ended)
    }
}

fn ended_transaction() -> StoreError {
    StoreError::message(
        "a database operation ended the transaction that it runs in: this is a defect in it, report it",
    )
}
