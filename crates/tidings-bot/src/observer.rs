//! Whoever watches turns from outside the bot: de-duplication, the conversation book, consent.

use async_trait::async_trait;
use tidings_activity::Activity;
use tidings_store::Batch;

use crate::activity_key::ActivityKey;
use crate::conversation_key::ConversationKey;
use crate::error::Result;
use crate::inbound::{Inbound, TurnResponse};
use crate::turn::TurnKind;

mod deduplication;

pub use deduplication::{Deduplication, DeduplicationLimits};

/// Whoever watches turns from outside the bot: the one place where de-duplication, the conversation book and
/// consent hook in.
///
/// An observer says before an inbound turn whether there is to be one, adds to what the turn commits, and
/// hears of the commit. Observers run in the order in which they were registered.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use tidings_bot::{Result, Router, TestAdapter, TurnFacts, TurnObserver, TurnResponse};
///
/// /// Counts the turns that were committed.
/// #[derive(Default)]
/// struct Counter(AtomicU64);
///
/// impl TurnObserver for Counter {
///     fn committed(&self, _: &TurnFacts<'_>, _: &TurnResponse) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let counter = Arc::new(Counter::default());
/// let user = TestAdapter::builder(Router::new())
///     .set_up(|adapter| adapter.observer(counter.clone()))
///     .build();
/// user.send("hello").await?.assert_silent();
/// assert_eq!(counter.0.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait TurnObserver: Send + Sync + 'static {
    /// Whether `inbound` starts a turn. Called inside the conversation's gate, so not twice at once for one
    /// conversation. Proactive turns are not asked about.
    async fn admit(&self, inbound: &Inbound) -> Result<Admission> {
        let _ = inbound;
        Ok(Admission::Run)
    }

    /// Adds to what the turn commits. Called once, after the bot, when it ended well; not for a turn that
    /// failed.
    fn stage(&self, facts: &TurnFacts<'_>, batch: &mut Batch) {
        let _ = (facts, batch);
    }

    /// The turn is committed, and `response` is what its sender gets. Not called for a turn that failed.
    fn committed(&self, facts: &TurnFacts<'_>, response: &TurnResponse) {
        let _ = (facts, response);
    }
}

/// An observer's answer to an inbound activity.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// There is to be a turn.
    Run,
    /// There has been one already, or there must be none: answer this.
    Answered(TurnResponse),
}

/// What an observer is told about a turn.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TurnFacts<'a> {
    /// What the turn is about.
    pub activity: &'a Activity,
    /// Whether the activity arrived or the bot speaks first.
    pub kind: TurnKind,
    /// The conversation.
    pub conversation: &'a ConversationKey,
    /// Whether the bot sent something other than a trace.
    pub responded: bool,
    /// What the activity is recognised by when it comes again; `None` if nothing can be.
    pub activity_key: Option<&'a ActivityKey>,
}
