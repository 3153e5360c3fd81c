use std::ops::ControlFlow;

use rusqlite::Connection;

use crate::column::{ColumnRef, FromColumn, ToColumn};
use crate::database::PostgresTx;
use crate::postgres_error::words;
use crate::{StoreError, params};

/// Whose SQL a transaction speaks, for the few statements that cannot be spelled the same for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// An open transaction of a [`Database`](crate::Database), whichever engine holds it.
///
/// Parameters are written `?1`, `?2` and so on, and bound from [`params!`](crate::params). Statements are prepared
/// once for each connection, so their text should come from a small set. What is the same in both dialects is
/// written once: `INTEGER` columns of SQLite are `BIGINT` (or `BOOLEAN`) in PostgreSQL, `TEXT` is `TEXT`, `BLOB` is
/// `BYTEA`. For the rest, ask [`Tx::dialect`]. A text with the NUL character is refused by both
/// ([`StoreError::NulCharacter`]).
pub struct Tx<'a>(Inner<'a>);

enum Inner<'a> {
    Sqlite(&'a Connection),
    Postgres(&'a PostgresTx),
}

impl<'a> Tx<'a> {
    pub(crate) fn sqlite(connection: &'a Connection) -> Tx<'a> {
        Tx(Inner::Sqlite(connection))
    }

    pub(crate) fn postgres(tx: &'a PostgresTx) -> Tx<'a> {
        Tx(Inner::Postgres(tx))
    }

    /// Whose SQL this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.0 {
            Inner::Sqlite(_) => Dialect::Sqlite,
            Inner::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// The database refused.
    pub fn execute(&self, sql: &str, params: &[&dyn ToColumn]) -> Result<usize, StoreError> {
        match self.0 {
            Inner::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                Ok(statement.raw_execute()?)
            }
            Inner::Postgres(tx) => tx.execute(sql, params),
        }
    }

    /// Runs an `INSERT` of one row and returns the value of `id_column`, which the database gave it. `None` if
    /// `ON CONFLICT DO NOTHING` kept the row out.
    ///
    /// On SQLite `id_column` must be the table's `INTEGER PRIMARY KEY`.
    ///
    /// # Errors
    /// The database refused.
    pub fn insert(
        &self,
        sql: &str,
        id_column: &str,
        params: &[&dyn ToColumn],
    ) -> Result<Option<i64>, StoreError> {
        match self.0 {
            Inner::Sqlite(connection) => {
                // `RETURNING` would collect its row in a temporary table first.
                let inserted = self.execute(sql, params)?;
                Ok((inserted > 0).then(|| connection.last_insert_rowid()))
            }
            Inner::Postgres(tx) => tx.insert(sql, id_column, params),
        }
    }

    /// The first row of a query, read by `read`. Write `LIMIT 1` where there may be many.
    ///
    /// # Errors
    /// The database refused, or `read` did.
    pub fn first<T>(
        &self,
        sql: &str,
        params: &[&dyn ToColumn],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self.0 {
            Inner::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let mut rows = statement.raw_query();
                rows.next()?
                    .map(|row| read(&Row(RowInner::Sqlite(row))))
                    .transpose()
            }
            Inner::Postgres(tx) => {
                let rows = tx.rows(sql, params)?;
                rows.first()
                    .map(|row| read(&Row(RowInner::Postgres(row))))
                    .transpose()
            }
        }
    }

    /// All rows of a query, each read by `read`.
    ///
    /// # Errors
    /// The database refused, or `read` did.
    pub fn all<T>(
        &self,
        sql: &str,
        params: &[&dyn ToColumn],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.visit(sql, params, |row| {
            all.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Reads the rows of a query one after the other until `read` breaks off. PostgreSQL sends all of them: where a
    /// table may be large, write a `LIMIT` for it.
    ///
    /// # Errors
    /// The database refused, or `read` did.
    pub fn visit(
        &self,
        sql: &str,
        params: &[&dyn ToColumn],
        mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        match self.0 {
            Inner::Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                bind(&mut statement, params)?;
                let mut rows = statement.raw_query();
                while let Some(row) = rows.next()? {
                    if read(&Row(RowInner::Sqlite(row)))?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
            Inner::Postgres(tx) => {
                for row in tx.rows(sql, params)? {
                    if read(&Row(RowInner::Postgres(&row)))?.is_break() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    /// Runs statements that have no parameters, separated by semicolons; nothing of it is kept prepared.
    ///
    /// # Errors
    /// The database refused one of them.
    pub fn script(&self, sql: &str) -> Result<(), StoreError> {
        match self.0 {
            Inner::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Inner::Postgres(tx) => tx.script(sql),
        }
    }

    /// Whether the database has a table of ours with this name. An older one may not have it yet.
    ///
    /// # Errors
    /// The database refused.
    pub fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let select = match self.dialect() {
            Dialect::Sqlite => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            Dialect::Postgres => {
                "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?1"
            }
        };
        self.exists(select, params![name])
    }

    /// Whether a query has a row.
    ///
    /// # Errors
    /// The database refused.
    pub fn exists(&self, sql: &str, params: &[&dyn ToColumn]) -> Result<bool, StoreError> {
        Ok(self.first(sql, params, |_| Ok(()))?.is_some())
    }
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[&dyn ToColumn]) -> Result<(), StoreError> {
    for (index, param) in (1..).zip(params) {
        statement.raw_bind_parameter(index, ColumnRef::of_param(*param)?)?;
    }
    Ok(())
}

/// A row of a query's answer.
pub struct Row<'a>(RowInner<'a>);

enum RowInner<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value in the column with this index, counted from 0.
    ///
    /// # Errors
    /// There is no such column, or its value is no `T`.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, StoreError> {
        T::from_column(self.column(index)?).ok_or_else(|| {
            StoreError::message(format!(
                "column {index} of a row holds another type than expected: restore the database from a backup"
            ))
        })
    }

    /// The text in a column, borrowed.
    ///
    /// # Errors
    /// There is no such column, or it holds no text.
    pub fn text(&self, index: usize) -> Result<&str, StoreError> {
        match self.column(index)? {
            ColumnRef::Text(text) => Ok(text),
            _ => Err(StoreError::message(format!(
                "column {index} of a row holds no text"
            ))),
        }
    }

    fn column(&self, index: usize) -> Result<ColumnRef<'_>, StoreError> {
        match self.0 {
            RowInner::Sqlite(row) => ColumnRef::from_sqlite(row.get_ref(index)?),
            RowInner::Postgres(row) => row
                .try_get(index)
                .map_err(|error| StoreError::message(words(&error))),
        }
    }
}
