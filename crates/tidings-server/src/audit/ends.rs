//! How uses ended, on its way to the database.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a use ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) id: i64,
    pub(super) status: u16,
    /// What it was done to, if that was not known before.
    pub(super) target: Option<String>,
}

/// What waits to be written. It gathers while a commit runs, so that many share the next, and no answer waits for it.
#[derive(Debug, Default)]
pub(super) struct Ends {
    waiting: Mutex<Vec<End>>,
    /// Whoever writes has it until that is committed.
    writing: tokio::sync::Mutex<()>,
}

impl Ends {
    /// Adds one. True if the caller has to see to it that it is written.
    pub(super) fn put(&self, end: End) -> bool {
        let mut waiting = self.waiting();
        waiting.push(end);
        waiting.len() == 1
    }

    /// Hands what has gathered to `write`, one caller at a time.
    pub(super) async fn write<F: Future<Output = ()>>(&self, write: impl FnOnce(Vec<End>) -> F) {
        let _writing = self.writing.lock().await;
        let ends = std::mem::take(&mut *self.waiting());
        write(ends).await;
    }

    /// Waits until nothing is on its way.
    pub(super) async fn none(&self) {
        loop {
            let writing = self.writing.lock().await;
            if self.waiting().is_empty() {
                return;
            }
            drop(writing);
            // Whoever put the first of them is on his way here.
            tokio::task::yield_now().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<End>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
