use rusqlite::{Connection, Statement};

use super::writer::Operation;
use crate::StoreError;

/// The transaction that operations share, again and again.
pub(super) struct Transaction<'connection> {
    connection: &'connection Connection,
    begin: Statement<'connection>,
    commit: Statement<'connection>,
    rollback: Statement<'connection>,
    savepoint: Statement<'connection>,
    release: Statement<'connection>,
    rollback_to: Statement<'connection>,
    /// Operations that stand in the open transaction.
    kept: usize,
    /// A rollback has itself failed and comes before anything else.
    rollback_owed: bool,
}

impl<'connection> Transaction<'connection> {
    pub(super) fn prepare(connection: &'connection Connection) -> rusqlite::Result<Transaction<'connection>> {
        Ok(Transaction {
            connection,
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            rollback: connection.prepare("ROLLBACK")?,
            savepoint: connection.prepare("SAVEPOINT tidings_operation")?,
            release: connection.prepare("RELEASE tidings_operation")?,
            rollback_to: connection.prepare("ROLLBACK TO tidings_operation")?,
            kept: 0,
            rollback_owed: false,
        })
    }

    /// Runs the operations and commits those that succeeded; each then holds the result its caller is to get. Returns how
    /// many were committed.
    ///
    /// SQLite itself ends a transaction that meets a full disk or an I/O error. The operations before that one are lost
    /// with it and told so; those after it go on in a new transaction.
    pub(super) fn run(&mut self, operations: &mut [Box<dyn Operation>]) -> usize {
        // Whose fate the open transaction decides. A failed operation among them waits for it as well: its failure may
        // rest on what a neighbour wrote.
        let mut first = 0;
        for index in 0..operations.len() {
            if let Err(error) = self.begin() {
                // It has waited its time for the lock: the others would only wait again.
                fail(&mut operations[index..], &error);
                return 0;
            }
            let Err(error) = self.run_one(&mut *operations[index]) else {
                self.kept += 1;
                continue;
            };
            if self.connection.is_autocommit() {
                fail(&mut operations[first..index], &error);
                first = index + 1;
            }
        }
        self.commit().unwrap_or_else(|error| {
            fail(&mut operations[first..], &error);
            0
        })
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if self.rollback_owed {
            self.rollback.execute([])?;
            self.rollback_owed = false;
        }
        if self.connection.is_autocommit() {
            self.kept = 0;
            self.begin.execute([])?;
        }
        Ok(())
    }

    /// Runs one operation. If it fails, nothing of it stays.
    fn run_one(&mut self, operation: &mut dyn Operation) -> Result<(), StoreError> {
        // The first one needs no savepoint: before it is nothing that a rollback could take along.
        let has_savepoint = self.kept > 0;
        self.try_one(operation, has_savepoint).inspect_err(|error| {
            operation.fail(error.clone());
            self.undo(has_savepoint);
        })
    }

    fn try_one(&mut self, operation: &mut dyn Operation, has_savepoint: bool) -> Result<(), StoreError> {
        if has_savepoint {
            self.savepoint.execute([])?;
        }
        operation.run(self.connection)?;
        if self.connection.is_autocommit() {
            return Err(StoreError::message(
                "a database operation ended the transaction that it shares: this is a defect in it, report it",
            ));
        }
        if has_savepoint {
            self.release.execute([])?;
        }
        Ok(())
    }

    fn undo(&mut self, has_savepoint: bool) {
        if self.connection.is_autocommit() {
            return;
        }
        let undone = has_savepoint
            && self
                .rollback_to
                .execute([])
                .and_then(|_| self.release.execute([]))
                .is_ok();
        if !undone {
            self.roll_back();
        }
    }

    fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            self.rollback_owed = self.rollback.execute([]).is_err();
        }
    }

    fn commit(&mut self) -> Result<usize, StoreError> {
        if self.connection.is_autocommit() {
            return Ok(0);
        }
        if self.kept == 0 {
            self.roll_back();
            return Ok(0);
        }
        match self.commit.execute([]) {
            Ok(_) => Ok(self.kept),
            Err(error) => {
                self.roll_back();
                Err(error.into())
            }
        }
    }
}

/// Gives every operation the error of the transaction it was in.
fn fail(operations: &mut [Box<dyn Operation>], cause: &StoreError) {
    for operation in operations {
        operation.fail(cause.clone().uncommitted());
    }
}
