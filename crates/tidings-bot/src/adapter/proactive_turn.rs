//! Turns in which the bot speaks first.

use std::sync::Arc;

use tracing::Instrument;

use super::{Adapter, Core, CreateConversation};
use crate::callback::{BoxedCallback, TurnCallback, boxed};
use crate::conversation::Conversation;
use crate::conversation_key::ConversationKey;
use crate::error::{Error, Result};
use crate::gate::{GateGuard, TurnToken};
use crate::inbound::Inbound;
use crate::middleware::Logic;
use crate::outbound::Outbound;
use crate::process_error::{ProcessError, TurnFailure};
use crate::spans;
use crate::turn::{TurnContext, TurnKind, for_audience};

impl Adapter {
    /// Runs `callback` in a turn of a conversation that the bot was in before, so that it can speak first. Whoever
    /// brought the activity that the [`Conversation`] was taken from is the turn's
    /// [identity](TurnContext::identity), and decides whom its tokens are for; a bare
    /// [`ConversationReference`](tidings_activity::ConversationReference) is anonymous.
    ///
    /// The turn is about an event named `ContinueConversation`. It runs the middleware, but not the bot; what
    /// it stages is committed as in any turn. What it sends goes by the channel's plain send route, unless
    /// the activity itself names a `replyToId`. It waits behind the turns of the conversation that run or
    /// came before.
    ///
    /// Called from inside a turn of the same conversation it runs at once, nested in that turn, with a
    /// context, state and commit of its own; it does not see what the outer turn has not committed yet. A
    /// callback that the handler spawns as a task is not inside the turn and waits for its end: do not await
    /// such a task in the handler.
    ///
    /// ```
    /// use tidings_bot::{Adapter, Conversation, Result, TurnContext};
    ///
    /// async fn notify(adapter: &Adapter, creator: &Conversation, job: u64) -> Result<()> {
    ///     adapter
    ///         .continue_conversation(creator, async move |turn: &mut TurnContext| {
    ///             turn.say(format!("Job {job} is complete.")).await
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    /// Whatever the callback returned, also when the bot's `on_turn_error` settled it; a [`ProcessError`]
    /// when the adapter is full or shutting down; a [`WouldDeadlock`](crate::WouldDeadlock) when the
    /// conversation's running turn waits for this one; a sentence naming the field when the reference has no
    /// `conversation.id`, `channelId` or `serviceUrl`.
    pub async fn continue_conversation<C>(
        &self,
        conversation: impl Into<Conversation>,
        callback: C,
    ) -> Result<()>
    where
        C: for<'a> TurnCallback<'a> + 'static,
    {
        self.continue_conversation_through(self.outbound(), conversation, callback)
            .await
    }

    /// As [`continue_conversation`](Self::continue_conversation), but what the turn sends goes into `outbound`: a
    /// [`Collector`](crate::Collector), say, whose content the callback stages before it ends.
    ///
    /// # Errors
    /// As [`continue_conversation`](Self::continue_conversation).
    pub async fn continue_conversation_through<C>(
        &self,
        outbound: Arc<dyn Outbound>,
        conversation: impl Into<Conversation>,
        callback: C,
    ) -> Result<()>
    where
        C: for<'a> TurnCallback<'a> + 'static,
    {
        let Conversation { reference, identity } = conversation.into();
        require(reference.conversation_id(), "conversation.id")?;
        require(reference.service_url.as_deref(), "serviceUrl")?;
        require(reference.channel_id.as_deref(), "channelId")?;
        let activity = reference.continuation();
        self.proactive_turn(Inbound { activity, identity }, outbound, boxed(callback))
            .await
    }

    /// Opens a new conversation at a channel and runs `callback` in it, in a turn about an event named
    /// `CreateConversation`.
    ///
    /// Gives the reference of the new conversation, to be stored. Web Chat and Direct Line do not let bots
    /// open conversations and answer 405.
    ///
    /// # Errors
    /// A [`SendError`](tidings_connector::SendError) when the channel refused; a [`ContinuationFailed`],
    /// which has the reference, when the conversation was opened and the callback failed in it.
    pub async fn create_conversation<C>(
        &self,
        create: CreateConversation,
        callback: C,
    ) -> Result<Conversation>
    where
        C: for<'a> TurnCallback<'a> + 'static,
    {
        let identity = create.identity.clone();
        let outbound = for_audience(self.outbound(), identity.audience());
        let created = create.send(&*outbound).await?;
        let mut reference = Conversation::new(created.reference(), identity.clone());
        // The made-up id of the event is no activity's; that of a first message, which the channel made, is
        // one.
        reference.activity_id = created.first_activity_id;
        match self
            .proactive_turn(
                Inbound {
                    activity: created.activity,
                    identity,
                },
                self.outbound(),
                boxed(callback),
            )
            .await
        {
            Ok(()) => Ok(reference),
            Err(error) => Err(ContinuationFailed {
                reference: Box::new(reference),
                error,
            }
            .into()),
        }
    }

    async fn proactive_turn(
        &self,
        inbound: Inbound,
        outbound: Arc<dyn Outbound>,
        callback: BoxedCallback,
    ) -> Result<()> {
        let conversation = ConversationKey::of_activity(&inbound.activity).ok_or_else(|| {
            Error::msg("channelId, conversation.id: both are needed to find the conversation")
        })?;
        let inbound = Arc::new(inbound);
        let nested = TurnToken::current().is_some();
        let ticket = if nested {
            self.core.in_flight.enter_nested()
        } else {
            self.core
                .in_flight
                .enter(|| self.core.gate.waiting(&conversation))
                .map_err(|reason| Error::new(ProcessError::from(reason)))?
        };
        let runs_at_once = self.core.gate.is_held_by_current_turn(&conversation);
        let place = self.core.gate.enter(&conversation);
        let span = spans::turn("proactive", &inbound.activity);
        let adapter = self.clone();
        let turn = async move {
            let inside = place.await?;
            let mut turn = TurnContext::new(
                adapter.clone(),
                conversation,
                TurnKind::Proactive,
                inbound,
                outbound,
            );
            let ended = adapter.proactive_turn_inside(&inside, &mut turn, callback).await;
            drop(inside);
            drop(ticket);
            ended
        };
        if runs_at_once {
            // Part of the running turn: it ends with it.
            return turn.instrument(span).await;
        }
        match tokio::spawn(turn.instrument(span)).await {
            Ok(ended) => ended,
            Err(_) => Err(TurnFailure::Panicked {
                message: "the turn's task ended early".to_owned(),
            }
            .into()),
        }
    }

    async fn proactive_turn_inside(
        &self,
        inside: &GateGuard,
        turn: &mut TurnContext,
        callback: BoxedCallback,
    ) -> Result<()> {
        let run = self.core.run_turn(turn, None, Logic::Callback(callback));
        let response = inside.token().scope(run).await.map_err(|failed| failed.error)?;
        let facts = Core::facts(turn, None);
        for observer in &self.core.observers {
            observer.committed(&facts, &response);
        }
        Ok(())
    }
}

fn require(value: Option<&str>, field: &str) -> Result<()> {
    match value {
        Some(value) if !value.is_empty() => Ok(()),
        _ => Err(Error::msg(format!(
            "{field}: missing in the reference, so the conversation cannot be continued"
        ))),
    }
}

/// A conversation was opened, but the callback failed in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the conversation was created, but its first turn failed: {error}")]
pub struct ContinuationFailed {
    /// The new conversation.
    pub reference: Box<Conversation>,
    /// Why the callback failed.
    pub error: Error,
}
