//! One turn: an activity, and everything its handlers can do about it.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tidings_activity::{Activity, ActivityType, ConversationReference, InvokeResponse, channel};
use tidings_connector::ConnectorClient;
use tidings_store::Step;

use crate::adapter::Adapter;
use crate::conversation::Conversation;
use crate::conversation_key::ConversationKey;
use crate::error::{Error, Result};
use crate::hook::{DeleteHook, Hooks, SendHook, UpdateHook};
use crate::identity::Identity;
use crate::inbound::Inbound;
use crate::outbound::Outbound;
use crate::router::Captures;
use crate::services::Services;
use crate::state::TurnStates;

mod locale;
mod send;
mod values;

pub(crate) use values::TurnValues;

/// Where a turn comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TurnKind {
    /// An activity arrived.
    Inbound,
    /// The bot speaks first: `continue_conversation` or `create_conversation`.
    Proactive,
}

/// One turn: an activity, and everything a handler can do about it.
///
/// What [`say`](Self::say) and [`send`](Self::send) take goes out at once. What is [staged](Self::stage), and
/// every change of [`BotState`](crate::BotState), is committed together when the turn ends well, and dropped
/// when it fails. So do not announce by `say` what is only staged.
///
/// The context lives as long as the turn. Work that goes on afterwards takes [`reference`](Self::reference)
/// and comes back through [`Adapter::continue_conversation`]:
///
/// ```
/// use tidings_bot::{Result, TurnContext};
///
/// # async fn brew() {}
/// async fn tea(turn: &mut TurnContext) -> Result<()> {
///     let (adapter, reference) = (turn.adapter().clone(), turn.reference());
///     tokio::spawn(async move {
///         brew().await;
///         let ready = async |turn: &mut TurnContext| turn.say("Your tea is ready.").await;
///         if let Err(error) = adapter.continue_conversation(&reference, ready).await {
///             eprintln!("nobody was told: {error}");
///         }
///     });
///     turn.say("I will put the kettle on.").await
/// }
/// ```
///
/// The compiler does not let the context itself out of its turn:
///
/// ```compile_fail,E0521
/// use tidings_bot::{Result, TurnContext};
///
/// async fn tea(turn: &mut TurnContext) -> Result<()> {
///     tokio::spawn(async move { turn.say("Your tea is ready.").await });
///     Ok(())
/// }
/// ```
pub struct TurnContext {
    /// Shared with whoever stores it should the turn be slow.
    inbound: Arc<Inbound>,
    adapter: Adapter,
    conversation: ConversationKey,
    kind: TurnKind,
    outbound: Arc<dyn Outbound>,
    reference: OnceLock<Box<ConversationReference>>,
    responded: bool,
    invoke_response: Option<InvokeResponse>,
    captures: Captures,
    hooks: Option<Box<Hooks>>,
    values: TurnValues,
    locale: Option<String>,
    error: Option<Error>,
    // The lock is never taken by two: it makes the context `Sync`, which a `Step` need not be.
    steps: Mutex<Vec<Box<dyn Step>>>,
    states: TurnStates,
}

impl TurnContext {
    pub(crate) fn new(
        adapter: Adapter,
        conversation: ConversationKey,
        kind: TurnKind,
        inbound: Arc<Inbound>,
        outbound: Arc<dyn Outbound>,
    ) -> Self {
        let outbound = for_audience(outbound, inbound.identity.audience());
        Self {
            inbound,
            adapter,
            conversation,
            kind,
            outbound,
            reference: OnceLock::new(),
            responded: false,
            invoke_response: None,
            captures: Captures::default(),
            hooks: None,
            values: TurnValues::default(),
            locale: None,
            error: None,
            steps: Mutex::default(),
            states: TurnStates::default(),
        }
    }

    /// The activity that the turn is about.
    pub fn activity(&self) -> &Activity {
        &self.inbound.activity
    }

    /// The activity, for middleware that puts it right before the bot sees it.
    pub fn activity_mut(&mut self) -> &mut Activity {
        self.reference = OnceLock::new();
        &mut Arc::make_mut(&mut self.inbound).activity
    }

    /// What it takes to come back to this conversation later: where it is, and as whom. Store it; it stays good
    /// after the turn.
    ///
    /// In a proactive turn it has no `activityId`: the activity of such a turn is made up, and no channel
    /// knows its id.
    pub fn reference(&self) -> Conversation {
        Conversation::new(self.addressing().clone(), self.inbound.identity.clone())
    }

    /// The reference that outgoing activities are addressed by, made once.
    pub(crate) fn addressing(&self) -> &ConversationReference {
        self.reference.get_or_init(|| {
            let mut reference = Box::new(self.inbound.activity.reference());
            if self.kind == TurnKind::Proactive {
                reference.activity_id = None;
            }
            reference
        })
    }

    /// The channel's conversation that the turn is in, as the gate knows it.
    pub fn conversation(&self) -> &ConversationKey {
        &self.conversation
    }

    /// Whether an activity arrived or the bot speaks first.
    pub fn kind(&self) -> TurnKind {
        self.kind
    }

    /// Who brought the activity.
    pub fn identity(&self) -> &Identity {
        &self.inbound.identity
    }

    /// The adapter that runs the turn. Clone it for work that goes on after the turn.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The registered services.
    pub fn services(&self) -> &Services {
        self.adapter.services()
    }

    /// A clone of the registered service of type `T`.
    ///
    /// # Errors
    /// [`MissingService`](crate::MissingService) names the type when none was registered.
    pub fn service<T: Clone + Send + Sync + 'static>(&self) -> Result<T> {
        Ok(self.adapter.services().require()?)
    }

    /// The client of the channel's connector, for what a turn has no method for: members, attachments, history. It calls
    /// with the credentials and within the host guard that the turn's own messages have; the turn's observers and hooks
    /// hear nothing of it.
    ///
    /// ```
    /// # use tidings_bot::{Result, TurnContext};
    /// async fn who_is_here(turn: &mut TurnContext) -> Result<()> {
    ///     let here = turn.reference().reference;
    ///     let (service_url, conversation) = (here.service_url.as_deref(), here.conversation_id());
    ///     let (service_url, conversation) = (service_url.unwrap_or_default(), conversation.unwrap_or_default());
    ///     let members = turn
    ///         .connector()?
    ///         .get_conversation_members(service_url, conversation)
    ///         .await?;
    ///     turn.say(format!("{} of us are here.", members.len())).await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`MissingService`](crate::MissingService) when the adapter has no connector, as in tests.
    pub fn connector(&self) -> Result<ConnectorClient> {
        let client: ConnectorClient = self.service()?;
        Ok(client.for_audience(self.identity().audience()))
    }

    /// Whether something other than a trace has been sent in this turn. Once true it stays true.
    pub fn responded(&self) -> bool {
        self.responded
    }

    /// The error that ended the turn; only inside `on_turn_error`.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Stages `step` for the turn's commit: written when the handler returns `Ok`, dropped when it fails.
    pub fn stage(&mut self, step: impl Step) {
        self.steps
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(step));
    }

    /// Runs `hook` around everything this turn sends from now on.
    pub fn on_send(&mut self, hook: impl SendHook) {
        self.hooks_mut().send.push(Arc::new(hook));
    }

    /// Runs `hook` around everything this turn updates from now on.
    pub fn on_update(&mut self, hook: impl UpdateHook) {
        self.hooks_mut().update.push(Arc::new(hook));
    }

    /// Runs `hook` around everything this turn deletes from now on.
    pub fn on_delete(&mut self, hook: impl DeleteHook) {
        self.hooks_mut().delete.push(Arc::new(hook));
    }

    /// Keeps `value` for the rest of the turn, in place of an earlier one of the same type: what a middleware
    /// tells the handlers. It is not stored.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.values.insert(value);
    }

    /// The value of type `T` kept in this turn.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.values.get()
    }

    /// The value of type `T` kept in this turn, to change.
    pub fn get_mut<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        self.values.get_mut()
    }

    /// Where the turn's activities go: the connector, or a collector.
    pub fn outbound(&self) -> Arc<dyn Outbound> {
        Arc::clone(&self.outbound)
    }

    /// The result of an invoke that has been given so far.
    pub fn invoke_response(&self) -> Option<&InvokeResponse> {
        self.invoke_response.as_ref()
    }

    fn hooks_mut(&mut self) -> &mut Hooks {
        self.hooks.get_or_insert_default()
    }

    pub(crate) fn is_emulator(&self) -> bool {
        self.inbound.activity.is_on(channel::EMULATOR)
    }

    pub(crate) fn is_invoke(&self) -> bool {
        self.inbound.activity.kind == ActivityType::Invoke
    }

    pub(crate) fn captures_mut(&mut self) -> &mut Captures {
        &mut self.captures
    }

    pub(crate) fn states(&self) -> &TurnStates {
        &self.states
    }

    pub(crate) fn states_mut(&mut self) -> &mut TurnStates {
        &mut self.states
    }

    pub(crate) fn take_steps(&mut self) -> Vec<Box<dyn Step>> {
        std::mem::take(self.steps.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Drops everything staged and changed.
    pub(crate) fn drop_staged(&mut self) {
        drop(self.take_steps());
        self.states = TurnStates::default();
    }

    /// Drops everything staged and changed and remembers why: the turn goes on in `on_turn_error`.
    pub(crate) fn fail(&mut self, error: Error) {
        self.drop_staged();
        self.captures = Captures::default();
        self.error = Some(error);
    }
}

/// The way out with tokens for `audience`: a parent's connector refuses those of the channel.
pub(crate) fn for_audience(outbound: Arc<dyn Outbound>, audience: Option<&str>) -> Arc<dyn Outbound> {
    audience
        .and_then(|audience| outbound.for_audience(audience))
        .unwrap_or(outbound)
}

impl fmt::Debug for TurnContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnContext")
            .field("kind", &self.kind)
            .field("conversation", &self.conversation)
            .field("activity", &self.inbound.activity)
            .field("responded", &self.responded)
            .finish_non_exhaustive()
    }
}
