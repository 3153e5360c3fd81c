//! Named handlers: proactive turns that survive a restart.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tidings_activity::{Activity, ConversationReference, ResourceResponse};
use tidings_bot::{Adapter, Conversation, Error, Outbound, Result, TurnContext};
use tidings_store::{Step, StoreError, Tx};

use crate::change::Change;
use crate::enqueue::write;
use crate::error::ProactiveError;
use crate::ledger::{self, Allowance, Claimed, Content, NewDelivery, Parent};
use crate::worker::Worker;

/// A handler's own code: what it does in the turn, with the payload as JSON.
trait Logic: Send + Sync {
    fn run<'a>(&'a self, turn: &'a mut TurnContext, payload: &str) -> BoxFuture<'a, Result<()>>;
}

/// A handler that knows the type of its payload.
struct Typed<H, T> {
    handler: H,
    payload: PhantomData<fn(T)>,
}

impl<T, H> Logic for Typed<H, T>
where
    T: DeserializeOwned + Send + 'static,
    H: for<'a> NamedHandler<'a, T>,
{
    fn run<'a>(&'a self, turn: &'a mut TurnContext, payload: &str) -> BoxFuture<'a, Result<()>> {
        let payload = serde_json::from_str(payload).map_err(UnreadablePayload);
        Box::pin(async move { self.handler.run(turn, payload.map_err(Error::new)?).await })
    }
}

/// The payload is not of the type that the handler takes. To try again does not help.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not what its handler takes: {0}")]
pub(crate) struct UnreadablePayload(serde_json::Error);

/// The logic of a named handler: an `async fn(&mut TurnContext, T) -> Result<()>` where `T` is its payload.
///
/// Implemented for all of them; there is no need to implement it by hand.
pub trait NamedHandler<'a, T>: Send + Sync {
    /// What the handler returns.
    type Future: Future<Output = Result<()>> + Send + 'a;

    /// Runs the handler in the turn.
    fn run(&self, turn: &'a mut TurnContext, payload: T) -> Self::Future;
}

impl<'a, T, F, Fut> NamedHandler<'a, T> for F
where
    F: Fn(&'a mut TurnContext, T) -> Fut + Send + Sync,
    Fut: Future<Output = Result<()>> + Send + 'a,
{
    type Future = Fut;

    fn run(&self, turn: &'a mut TurnContext, payload: T) -> Fut {
        self(turn, payload)
    }
}

/// The handlers of a process, by their names.
#[derive(Default)]
pub(crate) struct Handlers(RwLock<HashMap<String, Handler>>);

#[derive(Clone)]
pub(crate) struct Handler(Arc<dyn Logic>);

impl Handlers {
    pub(crate) fn insert<T, H>(&self, name: String, handler: H)
    where
        T: DeserializeOwned + Send + 'static,
        H: for<'a> NamedHandler<'a, T> + 'static,
    {
        let logic = Typed {
            handler,
            payload: PhantomData,
        };
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name, Handler(Arc::new(logic)));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Handler> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(all.keys()).finish()
    }
}

impl Handler {
    /// Runs the handler as a proactive turn. What it says is put on record at the place of its own delivery, in the
    /// commit of its state; that commit also ends the delivery.
    pub(crate) async fn run(
        &self,
        worker: &Arc<Worker>,
        adapter: &Adapter,
        conversation: Conversation,
        delivery: &Claimed,
        payload: &str,
    ) -> Result<()> {
        let said = Arc::new(Said::in_conversation(&delivery.conversation_id));
        let (logic, heard) = (Arc::clone(&self.0), Arc::clone(&said));
        let (worker, delivery, payload) = (Arc::clone(worker), delivery.clone(), payload.to_owned());
        let turn = async move |turn: &mut TurnContext| {
            logic.run(turn, &payload).await?;
            turn.stage(Handled {
                worker,
                delivery,
                said: heard.take(),
            });
            Ok(())
        };
        adapter
            .continue_conversation_through(said, conversation, turn)
            .await
    }
}

/// What a handler's turn sends, updates and deletes, in order. It goes nowhere before the turn is committed, so nothing gets
/// an id.
struct Said {
    conversation_id: String,
    contents: Mutex<Vec<Content>>,
}

impl Said {
    fn in_conversation(conversation_id: &str) -> Self {
        Said {
            conversation_id: conversation_id.to_owned(),
            contents: Mutex::default(),
        }
    }

    fn take(&self) -> Vec<Content> {
        std::mem::take(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, content: std::result::Result<Content, ProactiveError>) -> Result<ResourceResponse> {
        let content = content.map_err(Error::new)?;
        self.contents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(content);
        Ok(ResourceResponse::default())
    }
}

#[async_trait]
impl Outbound for Said {
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        self.add(write("activity", activity).map(Content::Activity))
    }

    async fn update(&self, activity: &Activity) -> Result<ResourceResponse> {
        self.add(Change::update(activity))
    }

    async fn delete(&self, reference: &ConversationReference) -> Result<()> {
        if reference.conversation_id() != Some(&self.conversation_id) {
            return Err(Error::msg(
                "conversation.id: a named handler deletes in its own conversation only",
            ));
        }
        self.add(Change::delete(reference.activity_id.clone())).map(drop)
    }
}

/// A handler's turn is over: its delivery has ended, and what it said is owed.
struct Handled {
    worker: Arc<Worker>,
    delivery: Claimed,
    said: Vec<Content>,
}

impl Step for Handled {
    fn write(&mut self, tx: &Tx<'_>) -> std::result::Result<(), StoreError> {
        let Handled {
            worker,
            delivery,
            said,
        } = self;
        let now = worker.clock.now();
        let children = said
            .iter()
            .map(|content| NewDelivery {
                channel_id: delivery.channel_id.clone(),
                conversation_id: delivery.conversation_id.clone(),
                reference: delivery.reference.clone(),
                identity: delivery.identity.clone(),
                content: content.clone(),
                class: delivery.class.clone(),
                policy: delivery.policy,
                dedupe: None,
                not_before: None,
                expires_at: delivery.expires_at,
                parent: Some(Parent {
                    id: delivery.id,
                    place: delivery.place,
                }),
                trace: delivery.trace.clone(),
            })
            .collect();
        let mut allowance = Allowance::without_claims(&worker.backlog_bounds);
        ledger::settle_handled(tx, delivery, children, &mut allowance, now)?;
        worker.staged();
        Ok(())
    }
}
