//! Turns of activities that arrive.

use std::sync::Arc;

use tidings_activity::{Activity, DeliveryMode, ExpectedReplies, Raw, channel};
use tracing::Instrument;

use super::running::{Arrival, Ended, Running};
use super::validate::validate;
use super::{Adapter, Core};
use crate::activity_key::ActivityKey;
use crate::conversation_key::ConversationKey;
use crate::error::Error;
use crate::gate::Entering;
use crate::in_flight::Ticket;
use crate::inbound::{Inbound, TurnResponse};
use crate::middleware::Logic;
use crate::observer::Admission;
use crate::outbound::{Collector, Outbound};
use crate::process_error::{ProcessError, TurnFailure};
use crate::turn::{TurnContext, TurnKind};

use super::run::Failed;

impl Adapter {
    /// Runs the turn of an activity that arrived, and gives what its sender is to be answered.
    ///
    /// The turn waits behind earlier ones of its conversation, in the order of the calls. It is a task of its
    /// own: when this future is dropped the turn still runs to its end. An activity that is delivered again
    /// while its turn runs joins that turn and gets the same answer; one whose turn was committed starts
    /// none. A turn that failed may run again.
    ///
    /// The answer is 200, with the replies as its body if the activity asked for them (`expectReplies`), or
    /// what an invoke was answered with; 501 for an invoke that nobody answered.
    ///
    /// # Errors
    /// [`ProcessError`], which has the HTTP status to answer with. An error that the bot's `on_turn_error`
    /// settled is none, except for an invoke without an answer, a panic, and a turn that took too long.
    pub async fn process(&self, inbound: Inbound) -> Result<TurnResponse, ProcessError> {
        // Boxed at the door: an activity is large, and the turn moves through several futures on its way into its task.
        let inbound = Box::new(inbound);
        let conversation = validate(&inbound.activity)?;
        self.check_service_url(&inbound.activity)?;
        let running = match self.core.running.arrive(ActivityKey::of(&inbound.activity)) {
            Arrival::First(running) => running,
            // The sender is gone only if the turn's task was cut off, as when the runtime shuts down.
            Arrival::Again(answer) => return answer.await.unwrap_or(Err(ProcessError::ShuttingDown)),
            Arrival::TooMany => return Err(ProcessError::Overloaded),
        };
        let waiting = || self.core.gate.waiting(&conversation);
        let ticket = match self.core.in_flight.enter(waiting) {
            Ok(ticket) => ticket,
            Err(reason) => {
                let refused = Err(reason.into());
                running.finish(&refused);
                return refused;
            }
        };
        // The place in the queue is taken here, so that the order is that of the calls and not that of the
        // tasks.
        let place = self.core.gate.enter_fresh(&conversation);
        let turn = self
            .clone()
            .inbound_turn(inbound, conversation, place, running, ticket);
        match tokio::spawn(turn.in_current_span()).await {
            Ok(ended) => ended,
            Err(cut_off) if cut_off.is_cancelled() => Err(ProcessError::ShuttingDown),
            Err(_) => Err(ProcessError::Panicked),
        }
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
        inbound: Box<Inbound>,
        conversation: ConversationKey,
        place: Entering,
        running: Running,
        ticket: Ticket,
    ) -> Ended {
        let ended = match place.await {
            Ok(inside) => {
                let token = inside.token();
                let ended = token
                    .scope(self.answer(inbound, conversation, running.key()))
                    .await;
                drop(inside);
                ended
            }
            Err(refused) => Err(ProcessError::Turn(refused.into())),
        };
        running.finish(&ended);
        drop(ticket);
        ended
    }

    /// The turn itself, inside the gate.
    async fn answer(
        &self,
        mut inbound: Box<Inbound>,
        conversation: ConversationKey,
        key: Option<&ActivityKey>,
    ) -> Ended {
        // What the wire says about the caller is discarded (Activity spec A2251).
        inbound.activity.caller_id = inbound.identity.caller_id().map(str::to_owned);
        name_teams_tenant(&mut inbound.activity);
        for observer in &self.core.observers {
            match observer.admit(&inbound).await {
                Ok(Admission::Run) => {}
                Ok(Admission::Answered(response)) => return Ok(response),
                Err(error) => return Err(ProcessError::Turn(error)),
            }
        }
        let expects_replies = inbound.activity.delivery_mode == Some(DeliveryMode::ExpectReplies);
        let collector = expects_replies.then(|| Arc::new(Collector::default()));
        let outbound = match &collector {
            Some(collector) => Arc::clone(collector) as Arc<dyn Outbound>,
            None => self.outbound(),
        };
        let mut turn = TurnContext::new(self.clone(), conversation, TurnKind::Inbound, inbound, outbound);
        let ended = self
            .core
            .run_turn(&mut turn, key, Logic::Bot(&*self.core.bot))
            .await;
        match ended {
            Ok(()) => {
                let response = response_of(&mut turn, collector.as_deref())?;
                let facts = Core::facts(&turn, key);
                for observer in &self.core.observers {
                    observer.committed(&facts, &response);
                }
                Ok(response)
            }
            Err(failed) => settle(&mut turn, collector.as_deref(), failed),
        }
    }
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

fn response_of(turn: &mut TurnContext, collector: Option<&Collector>) -> Ended {
    if let Some(collector) = collector {
        let replies = ExpectedReplies {
            activities: Some(collector.take()),
            ..ExpectedReplies::default()
        };
        let body = Raw::new(&replies).map_err(|error| ProcessError::Turn(Error::new(error)))?;
        return Ok(TurnResponse {
            status: 200,
            body: Some(body),
        });
    }
    if turn.is_invoke() {
        return Ok(turn.take_invoke_response().map_or(
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
fn settle(turn: &mut TurnContext, collector: Option<&Collector>, failed: Failed) -> Ended {
    match failed.error.downcast_ref::<TurnFailure>() {
        Some(TurnFailure::Panicked { .. }) => Err(ProcessError::Panicked),
        Some(TurnFailure::TimedOut { limit }) => Err(ProcessError::TimedOut { limit: *limit }),
        None if !failed.settled => Err(ProcessError::Turn(failed.error)),
        // An apology is no answer to an invoke.
        None if collector.is_none() && turn.is_invoke() && turn.invoke_response().is_none() => {
            Err(ProcessError::Turn(failed.error))
        }
        None => response_of(turn, collector),
    }
}
