//! Turns of activities that arrive.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use tidings_activity::{Activity, DeliveryMode, ExpectedReplies, Raw, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::Instrument;

use super::run::Failed;
use super::running::{Arrival, Arrived, Ended, Running};
use super::validate::validate;
use super::{Adapter, Core};
use crate::conversation_key::ConversationKey;
use crate::error::Result;
use crate::gate::Entering;
use crate::in_flight::Ticket;
use crate::inbound::{Inbound, TurnResponse};
use crate::inbox::Known;
use crate::middleware::Logic;
use crate::observer::Admission;
use crate::outbound::{Collector, Outbound};
use crate::process_error::{ProcessError, TurnFailure};
use crate::spans;
use crate::turn::{TurnContext, TurnKind};

impl Adapter {
    /// Runs the turn of an activity that arrived, and gives what its sender is to be answered.
    ///
    /// The turn waits behind earlier ones of its conversation, in the order of the calls. It is a task of its
    /// own: when this future is dropped the turn still runs to its end. An activity that is delivered again
    /// while its turn runs joins that turn and gets the same answer; one whose turn was committed starts
    /// none and gets the answer that was given, also after a restart if there is a database. A turn that failed
    /// may run again.
    ///
    /// The answer is 200, with the replies as its body if the activity asked for them (`expectReplies`), or
    /// what an invoke was answered with; 501 for an invoke that nobody answered. It is 202 as soon as a turn
    /// is [slow](super::AdapterBuilder::slow_turn_after) and its activity stored: that turn goes on, and
    /// [`resume`](Self::resume) takes it up should the process end before it.
    ///
    /// # Errors
    /// [`ProcessError`], which has the HTTP status to answer with. An error that the bot's `on_turn_error`
    /// settled is none, except for an invoke without an answer, a panic, and a turn that took too long.
    pub async fn process(&self, inbound: Inbound) -> Result<TurnResponse, ProcessError> {
        // Shared from the door on: an activity is large, and the turn moves through several futures on its way into its
        // task, while whoever stores a slow one needs it too.
        let mut inbound = Arc::new(inbound);
        let conversation = validate(&inbound.activity)?;
        self.check_service_url(&inbound.activity)?;
        complete(Arc::make_mut(&mut inbound));
        let number = match &self.core.inbox {
            Some(inbox) => {
                inbox.open().await.map_err(ProcessError::Turn)?;
                inbox.number()
            }
            None => 0,
        };
        let mut running = match self.core.running.arrive(Arrived::new(inbound, number)) {
            Arrival::First(running) => running,
            Arrival::Again(arrived, answer) => {
                // The sender is gone only if the turn's task was cut off, as when the runtime shuts down.
                let ended = answer.map(|answer| answer.unwrap_or(Err(ProcessError::ShuttingDown)));
                return self.in_time(&arrived, ended).await;
            }
            Arrival::Acknowledged => return Ok(TurnResponse::accepted()),
            Arrival::TooMany => return Err(ProcessError::Overloaded),
        };
        if let (Some(inbox), Some(key)) = (&self.core.inbox, &running.arrived().key) {
            let ended = match inbox.find(key).await {
                Ok(Known::No) => None,
                Ok(Known::Half(number)) => {
                    running.half = Some(number);
                    None
                }
                Ok(Known::Answered(response)) => Some(Ok(response)),
                Err(error) => Some(Err(ProcessError::Turn(error))),
            };
            if let Some(ended) = ended {
                running.finish(&ended);
                return ended;
            }
        }
        let waiting = || self.core.gate.waiting(&conversation);
        let ticket = match self.core.in_flight.enter(waiting) {
            Ok(ticket) => ticket,
            Err(reason) => {
                let refused = Err(reason.into());
                running.finish(&refused);
                return refused;
            }
        };
        let arrived = Arc::clone(running.arrived());
        let task = self.start_turn(conversation, running, ticket);
        let ended = task.map(|ended| match ended {
            Ok(ended) => ended,
            Err(cut_off) if cut_off.is_cancelled() => Err(ProcessError::ShuttingDown),
            Err(_) => Err(ProcessError::Panicked),
        });
        self.in_time(&arrived, ended).await
    }

    /// Takes a place in the conversation's queue and starts the turn's task. The place is taken here, so that the order
    /// is that of the calls and not that of the tasks.
    pub(super) fn start_turn(
        &self,
        conversation: ConversationKey,
        running: Running,
        ticket: Ticket,
    ) -> JoinHandle<Ended> {
        let place = self.core.gate.enter_fresh(&conversation);
        let span = spans::turn("inbound", &running.arrived().inbound.activity);
        let turn = self.clone().inbound_turn(conversation, place, running, ticket);
        tokio::spawn(turn.instrument(span))
    }

    /// The answer as soon as there is one: that of the turn, or 202 when the turn is slow.
    async fn in_time(&self, arrived: &Arc<Arrived>, ended: impl Future<Output = Ended>) -> Ended {
        let mut ended = pin!(ended);
        if self.core.may_acknowledge(&arrived.inbound.activity) {
            if let Ok(ended) = timeout(self.core.slow_turn_after, ended.as_mut()).await {
                return ended;
            }
            if Box::pin(self.core.acknowledge(arrived)).await {
                return Ok(TurnResponse::accepted());
            }
        }
        ended.await
    }

    fn check_service_url(&self, activity: &Activity) -> Result<(), ProcessError> {
        match (&self.core.service_urls, activity.service_url.as_deref()) {
            (Some(policy), Some(service_url)) => policy
                .check(service_url)
                .map_err(|error| ProcessError::ServiceUrl(Arc::new(error))),
            _ => Ok(()),
        }
    }

    async fn inbound_turn(
        self,
        conversation: ConversationKey,
        place: Entering,
        running: Running,
        ticket: Ticket,
    ) -> Ended {
        let ended = match place.await {
            Ok(inside) => {
                self.core.begins(running.arrived()).await;
                let token = inside.token();
                let ended = token.scope(self.answer(conversation, &running)).await;
                drop(inside);
                ended
            }
            Err(refused) => Err(ProcessError::Turn(refused.into())),
        };
        self.core.is_over(&running).await;
        running.finish(&ended);
        drop(ticket);
        ended
    }

    /// The turn itself, inside the gate.
    async fn answer(&self, conversation: ConversationKey, running: &Running) -> Ended {
        let inbound = Arc::clone(&running.arrived().inbound);
        for observer in &self.core.observers {
            match observer.admit(&inbound).await {
                Ok(Admission::Run) => {}
                Ok(Admission::Answered(response)) => return Ok(response),
                Err(error) => return Err(ProcessError::Turn(error)),
            }
        }
        let collector = expects_replies(&inbound.activity).then(|| Arc::new(Collector::default()));
        let outbound = match &collector {
            Some(collector) => Arc::clone(collector) as Arc<dyn Outbound>,
            None => self.outbound(),
        };
        let mut turn = TurnContext::new(self.clone(), conversation, TurnKind::Inbound, inbound, outbound);
        let origin = Origin {
            running,
            collector: collector.as_deref(),
        };
        let ended = self
            .core
            .run_turn(&mut turn, Some(&origin), Logic::Bot(&*self.core.bot))
            .await;
        match ended {
            Ok(response) => {
                let facts = Core::facts(&turn, running.arrived().key.as_ref());
                for observer in &self.core.observers {
                    observer.committed(&facts, &response);
                }
                Ok(response)
            }
            Err(failed) => settle(&turn, collector.as_deref(), failed),
        }
    }
}

/// Where an inbound turn comes from, and where its replies go if they are collected.
pub(super) struct Origin<'a> {
    pub(super) running: &'a Running,
    collector: Option<&'a Collector>,
}

impl Origin<'_> {
    /// What the sender is answered if the turn is committed as it is now.
    pub(super) fn response(&self, turn: &TurnContext) -> Result<TurnResponse> {
        response_of(turn, self.collector)
    }
}

/// What the host knows better than the wire.
fn complete(inbound: &mut Inbound) {
    // What the wire says about the caller is discarded (Activity spec A2251).
    inbound.activity.caller_id = inbound.identity.caller_id().map(str::to_owned);
    name_teams_tenant(&mut inbound.activity);
}

pub(super) fn expects_replies(activity: &Activity) -> bool {
    activity.delivery_mode == Some(DeliveryMode::ExpectReplies)
}

/// Teams names the tenant in its channel data only; a reference needs it in the conversation to be of use
/// later.
fn name_teams_tenant(activity: &mut Activity) {
    #[derive(serde::Deserialize)]
    struct TeamsData {
        tenant: Tenant,
    }
    #[derive(serde::Deserialize)]
    struct Tenant {
        id: String,
    }
    if activity.is_on(channel::MSTEAMS)
        && let Some(conversation) = activity
            .conversation
            .as_mut()
            .filter(|known| known.tenant_id.is_none())
        && let Some(data) = activity
            .channel_data
            .as_ref()
            .and_then(|data| data.parse::<TeamsData>().ok())
    {
        conversation.tenant_id = Some(data.tenant.id);
    }
}

fn response_of(turn: &TurnContext, collector: Option<&Collector>) -> Result<TurnResponse> {
    if let Some(collector) = collector {
        let replies = ExpectedReplies {
            activities: Some(collector.collected()),
            ..ExpectedReplies::default()
        };
        return Ok(TurnResponse {
            status: 200,
            body: Some(Raw::new(&replies)?),
        });
    }
    if turn.is_invoke() {
        return Ok(turn.invoke_response().cloned().map_or(
            TurnResponse {
                status: 501,
                body: None,
            },
            TurnResponse::from,
        ));
    }
    Ok(TurnResponse::ok())
}

/// What the sender of an activity whose turn failed is answered.
fn settle(turn: &TurnContext, collector: Option<&Collector>, failed: Failed) -> Ended {
    if let Some(answered) = failed.answered {
        return Ok(answered);
    }
    match failed.error.downcast_ref::<TurnFailure>() {
        Some(TurnFailure::Panicked { .. }) => Err(ProcessError::Panicked),
        Some(TurnFailure::TimedOut { limit }) => Err(ProcessError::TimedOut { limit: *limit }),
        None if !failed.settled => Err(ProcessError::Turn(failed.error)),
        // An apology is no answer to an invoke.
        None if collector.is_none() && turn.is_invoke() && turn.invoke_response().is_none() => {
            Err(ProcessError::Turn(failed.error))
        }
        None => response_of(turn, collector).map_err(ProcessError::Turn),
    }
}
