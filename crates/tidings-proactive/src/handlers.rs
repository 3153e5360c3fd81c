//! Named handlers: proactive turns that survive a restart.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tidings_bot::{Adapter, Collector, Conversation, Error, Result, TurnContext};
use tidings_store::{Step, StoreError, Tx};

use crate::enqueue::write;
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
        let collector = Arc::new(Collector::default());
        let (logic, said) = (Arc::clone(&self.0), Arc::clone(&collector));
        let (worker, delivery, payload) = (Arc::clone(worker), delivery.clone(), payload.to_owned());
        let turn = async move |turn: &mut TurnContext| {
            logic.run(turn, &payload).await?;
            let activities = said
                .take()
                .iter()
                .map(|activity| write("activity", activity))
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(Error::new)?;
            turn.stage(Handled {
                worker,
                delivery,
                activities,
            });
            Ok(())
        };
        adapter
            .continue_conversation_through(collector, conversation, turn)
            .await
    }
}

/// A handler's turn is over: its delivery has ended, and what it said is owed.
struct Handled {
    worker: Arc<Worker>,
    delivery: Claimed,
    activities: Vec<String>,
}

impl Step for Handled {
    fn write(&mut self, tx: &Tx<'_>) -> std::result::Result<(), StoreError> {
        let Handled {
            worker,
            delivery,
            activities,
        } = self;
        let now = worker.clock.now();
        let children = activities
            .iter()
            .map(|activity| NewDelivery {
                channel_id: delivery.channel_id.clone(),
                conversation_id: delivery.conversation_id.clone(),
                reference: delivery.reference.clone(),
                identity: delivery.identity.clone(),
                content: Content::Activity(activity.clone()),
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
