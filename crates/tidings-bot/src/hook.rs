//! Code around what a turn sends, updates and deletes.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_activity::{Activity, ConversationReference, ResourceResponse};

use crate::error::Result;
use crate::turn::TurnContext;

/// Runs around each batch of activities that the turn sends, from
/// [`TurnContext::on_send`] on. The first registered is the outermost.
///
/// The activities are addressed already. After `next` each carries the id that the channel gave it.
///
/// ```
/// use tidings_activity::{Activity, ResourceResponse};
/// use tidings_bot::{Middleware, Next, NextSend, Result, SendHook, TurnContext, async_trait};
///
/// /// Signs whatever the bot says.
/// struct Signature;
///
/// #[async_trait]
/// impl SendHook for Signature {
///     async fn on_send(
///         &self,
///         turn: &mut TurnContext,
///         activities: &mut Vec<Activity>,
///         next: NextSend<'_>,
///     ) -> Result<Vec<ResourceResponse>> {
///         for text in activities.iter_mut().filter_map(|activity| activity.text.as_mut()) {
///             text.push_str(" (the bot)");
///         }
///         next.run(turn, activities).await
///     }
/// }
///
/// #[async_trait]
/// impl Middleware for Signature {
///     async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
///         turn.on_send(Signature);
///         next.run(turn).await
///     }
/// }
/// ```
#[async_trait]
pub trait SendHook: Send + Sync + 'static {
    /// Not calling [`NextSend::run`] sends nothing.
    async fn on_send(
        &self,
        turn: &mut TurnContext,
        activities: &mut Vec<Activity>,
        next: NextSend<'_>,
    ) -> Result<Vec<ResourceResponse>>;
}

/// Runs around each activity that the turn updates, from [`TurnContext::on_update`] on.
#[async_trait]
pub trait UpdateHook: Send + Sync + 'static {
    /// Not calling [`NextUpdate::run`] updates nothing.
    async fn on_update(
        &self,
        turn: &mut TurnContext,
        activity: &mut Activity,
        next: NextUpdate<'_>,
    ) -> Result<ResourceResponse>;
}

/// Runs around each activity that the turn deletes, from [`TurnContext::on_delete`] on.
#[async_trait]
pub trait DeleteHook: Send + Sync + 'static {
    /// Not calling [`NextDelete::run`] deletes nothing.
    async fn on_delete(
        &self,
        turn: &mut TurnContext,
        reference: &mut ConversationReference,
        next: NextDelete<'_>,
    ) -> Result<()>;
}

/// The hooks of one turn.
#[derive(Default, Clone)]
pub(crate) struct Hooks {
    pub(crate) send: Vec<Arc<dyn SendHook>>,
    pub(crate) update: Vec<Arc<dyn UpdateHook>>,
    pub(crate) delete: Vec<Arc<dyn DeleteHook>>,
}

/// The hooks further in, then the sending.
pub struct NextSend<'a> {
    pub(crate) hooks: &'a [Arc<dyn SendHook>],
}

impl NextSend<'_> {
    /// Runs the rest, and gives the channel's answers in order.
    ///
    /// # Errors
    /// Whatever a hook further in or the channel says. Activities before the failing one have been sent.
    pub async fn run(
        self,
        turn: &mut TurnContext,
        activities: &mut Vec<Activity>,
    ) -> Result<Vec<ResourceResponse>> {
        match self.hooks {
            [first, rest @ ..] => first.on_send(turn, activities, NextSend { hooks: rest }).await,
            [] => turn.send_addressed(activities).await,
        }
    }
}

/// The hooks further in, then the update.
pub struct NextUpdate<'a> {
    pub(crate) hooks: &'a [Arc<dyn UpdateHook>],
}

impl NextUpdate<'_> {
    /// Runs the rest.
    ///
    /// # Errors
    /// Whatever a hook further in or the channel says.
    pub async fn run(self, turn: &mut TurnContext, activity: &mut Activity) -> Result<ResourceResponse> {
        match self.hooks {
            [first, rest @ ..] => first.on_update(turn, activity, NextUpdate { hooks: rest }).await,
            [] => turn.outbound().update(activity).await,
        }
    }
}

/// The hooks further in, then the deletion.
pub struct NextDelete<'a> {
    pub(crate) hooks: &'a [Arc<dyn DeleteHook>],
}

impl NextDelete<'_> {
    /// Runs the rest.
    ///
    /// # Errors
    /// Whatever a hook further in or the channel says.
    pub async fn run(self, turn: &mut TurnContext, reference: &mut ConversationReference) -> Result<()> {
        match self.hooks {
            [first, rest @ ..] => first.on_delete(turn, reference, NextDelete { hooks: rest }).await,
            [] => turn.outbound().delete(reference).await,
        }
    }
}
