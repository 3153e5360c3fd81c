//! The channel of a node, at whose other end everything that the protocol allows may happen.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidings_connector::{Phase, SendError};
use tidings_proactive::{Channel, Outgoing};

use crate::journal::{Answer, Call};
use crate::life::Life;
use crate::sabotage::Sabotage;
use crate::world::World;

pub(crate) struct SimChannel {
    pub(crate) life: Arc<Life>,
    pub(crate) node: usize,
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Accepted,
    /// Shown to the user, but the answer is lost, or says that something broke.
    AcceptedAnd(Answer),
    /// Not shown.
    Refused(Answer),
    NotReached,
}

impl Fate {
    fn draw(world: &World) -> Fate {
        if !world.trouble(world.plan.rates.bad_call) {
            return Fate::Accepted;
        }
        match world.below(100) {
            0..30 => Fate::NotReached,
            30..45 => Fate::AcceptedAnd(Answer::Broken),
            45..55 => Fate::AcceptedAnd(Answer::Status(500)),
            55..65 => Fate::Refused(Answer::Broken),
            65..75 => Fate::Refused(Answer::Status(503)),
            75..93 => Fate::Refused(Answer::Throttled(1_000_000 * (1 + world.below(3)))),
            93..96 => Fate::Refused(Answer::Status(400)),
            96..98 => Fate::Refused(Answer::Status(401)),
            _ => Fate::Refused(Answer::Status(403)),
        }
    }
}

/// A call while it lasts. If its node ends first, the request may still arrive.
struct Under<'a> {
    channel: &'a SimChannel,
    number: usize,
    on_its_way: bool,
}

impl Under<'_> {
    fn arrive(&mut self, accepted: bool) {
        self.on_its_way = false;
        let world = &self.channel.life.world;
        let now = world.time();
        let id = accepted.then(|| format!("activity-{}", self.number));
        world.journal.note(self.number, |call| {
            call.reached = Some(now);
            call.accepted = id;
        });
    }
}

impl Drop for Under<'_> {
    fn drop(&mut self) {
        let world = &self.channel.life.world;
        if self.on_its_way && world.chance(0.5) {
            self.arrive(true);
        }
        let now = world.time();
        world.journal.note(self.number, |call| call.ended = Some(now));
    }
}

#[async_trait]
impl Channel for SimChannel {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let world = &self.life.world;
        if world.sabotage == Some(Sabotage::SaysSentWithoutSending) && world.chance(0.1) {
            return Ok(Some("nothing".to_owned()));
        }
        let answer = self.call(&outgoing).await;
        if world.sabotage == Some(Sabotage::RepeatsOnItsOwn) && answer.is_err() {
            return self.call(&outgoing).await;
        }
        answer
    }
}

impl SimChannel {
    async fn call(&self, outgoing: &Outgoing<'_>) -> Result<Option<String>, SendError> {
        let world = &self.life.world;
        let mut call = Under {
            channel: self,
            number: world.journal.begin(Call {
                delivery: outgoing.delivery.get(),
                lane: outgoing
                    .conversation
                    .conversation_id()
                    .unwrap_or_default()
                    .to_owned(),
                node: self.node,
                began: world.time(),
                reached: None,
                accepted: None,
                ended: None,
                answer: None,
            }),
            on_its_way: false,
        };
        self.life.step().await;
        let fate = Fate::draw(world);
        if fate == Fate::NotReached {
            tokio::time::sleep(world.millis(0, 100)).await;
            return self.answer(&call, Answer::NotReached);
        }
        call.on_its_way = true;
        let slow = world.trouble(world.plan.rates.bad_call / 4.0);
        tokio::time::sleep(world.millis(0, if slow { 3_000 } else { 40 })).await;
        call.arrive(matches!(fate, Fate::Accepted | Fate::AcceptedAnd(_)));
        self.life.step().await;
        tokio::time::sleep(world.millis(0, if slow { 1_000 } else { 20 })).await;
        self.life.step().await;
        match fate {
            Fate::AcceptedAnd(answer) | Fate::Refused(answer) => self.answer(&call, answer),
            Fate::Accepted | Fate::NotReached => self.answer(&call, Answer::Accepted),
        }
    }

    fn answer(&self, call: &Under<'_>, answer: Answer) -> Result<Option<String>, SendError> {
        let world = &self.life.world;
        let mut id = None;
        world.journal.note(call.number, |call| {
            call.answer = Some(answer);
            id = call.accepted.clone();
        });
        let error = match answer {
            Answer::Accepted => return Ok(id),
            Answer::NotReached => SendError::new(Phase::BeforeBody, "no connection"),
            Answer::Broken => SendError::new(Phase::AfterBody, "the connection broke"),
            Answer::Status(status) => {
                let code = (status == 403).then(|| "ConversationBlockedByUser".to_owned());
                SendError::new(Phase::AfterBody, "no").with_status(status, code)
            }
            Answer::Throttled(wait) => SendError::new(Phase::AfterBody, "too much")
                .with_status(429, None)
                .with_retry_after(Duration::from_micros(wait)),
        };
        Err(error)
    }
}
