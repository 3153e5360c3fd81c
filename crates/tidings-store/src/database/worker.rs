//! A thread that works for a database, and what it does with code that panics.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

use crate::{OpenError, StoreError};

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread of some database: such a thread must not wait for another one.
pub(super) fn is_current() -> bool {
    IS_WORKER.get()
}

pub(super) fn spawn(
    name: &str,
    database: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, OpenError> {
    let start = move || {
        IS_WORKER.set(true);
        work();
    };
    Builder::new()
        .name(name.to_owned())
        .spawn(start)
        .map_err(|source| OpenError::Thread {
            database: database.to_owned(),
            source,
        })
}

/// Runs a caller's code; its panic becomes its error.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    // Nothing that a half-done operation leaves behind is used again: it is rolled back.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(StoreError::Panicked {
            message: message_of(&*panic),
        })
    })
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or(panic.downcast_ref::<String>().map(String::as_str));
    message.unwrap_or("no message").to_owned()
}
