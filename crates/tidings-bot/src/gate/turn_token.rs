//! Which turn a piece of code runs inside of.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

tokio::task_local! {
    /// The turn that the current task runs.
    static CURRENT_TURN: TurnToken;
}

/// Names one running turn.
pub(super) type TurnId = u64;

/// No turn has this id.
pub(super) const NOBODY: TurnId = 0;

/// One running turn, and the turns it is nested in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TurnToken {
    id: TurnId,
    /// The turns around it, outermost first. Most turns have none, and no list.
    around: Option<Arc<[TurnId]>>,
}

impl TurnToken {
    /// A turn of its own.
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(NOBODY + 1);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            around: None,
        }
    }

    /// A turn nested in the one that the caller runs inside of, if it does.
    pub(super) fn nested() -> Self {
        let around = Self::current().map(|current| {
            let further = current.around.iter().flat_map(|around| around.iter().copied());
            further.chain([current.id]).collect()
        });
        Self {
            around,
            ..Self::fresh()
        }
    }

    /// The turn that the caller runs inside of. A task spawned from a handler is not inside its turn.
    pub(crate) fn current() -> Option<Self> {
        CURRENT_TURN.try_with(Self::clone).ok()
    }

    /// Runs `future` as this turn.
    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT_TURN.scope(self, future)
    }

    pub(super) fn id(&self) -> TurnId {
        self.id
    }

    /// The outermost turn around this one, or itself.
    pub(super) fn root(&self) -> TurnId {
        self.around
            .as_ref()
            .and_then(|around| around.first().copied())
            .unwrap_or(self.id)
    }

    pub(super) fn is_nested(&self) -> bool {
        self.around.is_some()
    }

    /// Whether this is `turn`, or nested in it.
    pub(super) fn is_within(&self, turn: TurnId) -> bool {
        self.id == turn || self.around.as_ref().is_some_and(|around| around.contains(&turn))
    }
}
