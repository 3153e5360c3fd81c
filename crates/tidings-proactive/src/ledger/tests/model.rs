//! What the ledger should say, as simply as it can be written.

use std::collections::BTreeMap;

use super::{
    CLASSES, CONVERSATIONS, DeliveryState, Event, How, LaneStanding, Next, Op, Standing, UnknownPolicy,
};

#[derive(Clone, Debug)]
struct Delivery {
    id: i64,
    lane: usize,
    class: &'static str,
    place: i64,
    state: DeliveryState,
    due_at: Option<i64>,
    expires_at: i64,
    starts: u32,
    lost: u32,
    repeat_possible: bool,
    policy: UnknownPolicy,
    is_handler: bool,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    is_known: bool,
    next_at: Option<i64>,
    claimed: bool,
    closed: bool,
}

pub(super) struct Model {
    now: i64,
    lanes: [Lane; 3],
    deliveries: Vec<Delivery>,
    keys: BTreeMap<u8, i64>,
    /// What is in hand, by their ids; and what was when the node died.
    held: Vec<i64>,
    lost: Vec<i64>,
}

impl Delivery {
    fn is_open(&self) -> bool {
        !self.state.is_final()
    }

    fn waits_in_line(&self) -> bool {
        matches!(self.state, DeliveryState::Available | DeliveryState::Retryable)
    }

    /// Lost so often that no other such is sent beside it.
    fn is_suspect(&self) -> bool {
        self.lost >= 2
    }

    fn end(&mut self, state: DeliveryState) {
        self.state = state;
        self.due_at = None;
    }
}

impl Model {
    pub(super) fn new(now: i64) -> Self {
        Model {
            now,
            lanes: Default::default(),
            deliveries: Vec::new(),
            keys: BTreeMap::new(),
            held: Vec::new(),
            lost: Vec::new(),
        }
    }

    pub(super) fn deliveries(&self) -> Vec<Standing> {
        let standing = |delivery: &Delivery| Standing {
            id: delivery.id,
            state: delivery.state,
            due_at: delivery.due_at,
            starts: delivery.starts,
            repeat_possible: delivery.repeat_possible,
            has_ended: !delivery.is_open(),
        };
        self.deliveries.iter().map(standing).collect()
    }

    pub(super) fn lanes(&self) -> Vec<LaneStanding> {
        let known = self.lanes.iter().enumerate().filter(|(_, lane)| lane.is_known);
        known
            .map(|(number, lane)| LaneStanding {
                conversation: CONVERSATIONS[number].to_owned(),
                next_at: lane.next_at,
                claimed: lane.claimed,
                closed: lane.closed,
                backlog: self.backlog(number),
            })
            .collect()
    }

    fn backlog(&self, lane: usize) -> i64 {
        let open = self
            .deliveries
            .iter()
            .filter(|one| one.lane == lane && one.is_open());
        i64::try_from(open.count()).unwrap()
    }

    fn delivery(&mut self, id: i64) -> &mut Delivery {
        self.deliveries.iter_mut().find(|one| one.id == id).unwrap()
    }

    pub(super) fn apply(&mut self, op: Op) -> Event {
        match op {
            Op::Wait { seconds } => {
                self.now += seconds;
                Event::Nothing
            }
            Op::Enqueue { key, .. } => {
                if let Some(id) = key.and_then(|key| self.keys.get(&key).copied()) {
                    let state = self.delivery(id).state;
                    return Event::Enqueued {
                        id,
                        state,
                        replay: true,
                    };
                }
                let (id, state) = self.enqueue(op);
                if let Some(key) = key {
                    self.keys.insert(key, id);
                }
                Event::Enqueued {
                    id,
                    state,
                    replay: false,
                }
            }
            Op::Claim => {
                let mut claimed = Vec::new();
                for lane in self.lanes_by_age() {
                    if self.lanes[lane].next_at.is_some_and(|at| at <= self.now) {
                        claimed.extend(self.claim(lane, &claimed));
                    }
                }
                self.hold(claimed)
            }
            Op::ReleaseDue => {
                self.release_due();
                Event::Nothing
            }
            Op::Settle { which, how, next } => {
                if self.held.is_empty() {
                    return Event::Nothing;
                }
                let id = self.held.remove(which % self.held.len());
                self.settle(id, how, next)
            }
            Op::SettleLate { .. } if self.lost.is_empty() => Event::Nothing,
            Op::SettleLate { .. } => Event::LeaseLost,
            Op::TakeOver => {
                for id in std::mem::take(&mut self.held) {
                    self.lose(id);
                    self.lost.push(id);
                }
                Event::Nothing
            }
        }
    }

    fn hold(&mut self, mut claimed: Vec<i64>) -> Event {
        claimed.sort_unstable();
        self.held.extend(&claimed);
        self.held.sort_unstable();
        Event::Claimed(claimed)
    }

    fn enqueue(&mut self, op: Op) -> (i64, DeliveryState) {
        let Op::Enqueue {
            conversation,
            class,
            delay,
            lives,
            may_claim,
            handler,
            policy,
            ..
        } = op
        else {
            unreachable!("only what is enqueued is a delivery")
        };
        let is_empty = self.backlog(conversation) == 0;
        let id = self.deliveries.len() as i64 + 1;
        let lane = &mut self.lanes[conversation];
        lane.is_known = true;
        let idle = !lane.claimed && lane.next_at.is_none();
        let state = if lane.closed {
            DeliveryState::Refused
        } else if delay > 0 {
            DeliveryState::Scheduled
        } else if idle && is_empty && may_claim {
            lane.claimed = true;
            DeliveryState::Sending
        } else {
            if idle {
                lane.next_at = Some(self.now);
            }
            DeliveryState::Available
        };
        if state == DeliveryState::Sending {
            self.held.push(id);
        }
        self.deliveries.push(Delivery {
            id,
            lane: conversation,
            class: CLASSES[class],
            place: id,
            state,
            due_at: (state == DeliveryState::Scheduled).then_some(self.now + delay),
            expires_at: self.now + delay + lives,
            starts: u32::from(state == DeliveryState::Sending),
            lost: 0,
            repeat_possible: false,
            policy,
            is_handler: handler,
        });
        (id, state)
    }

    fn release_due(&mut self) {
        for delivery in &mut self.deliveries {
            if delivery.due_at.is_none_or(|at| at > self.now) {
                continue;
            }
            if delivery.expires_at <= self.now {
                delivery.end(DeliveryState::Expired);
            } else if delivery.state == DeliveryState::Scheduled {
                delivery.state = DeliveryState::Available;
            }
            delivery.due_at = None;
            let lane = &mut self.lanes[delivery.lane];
            if !lane.claimed && lane.next_at.is_none() && !lane.closed {
                lane.next_at = Some(self.now);
            }
        }
    }

    /// The one that was owed to first comes first.
    fn lanes_by_age(&self) -> Vec<usize> {
        let mut lanes: Vec<usize> = Vec::new();
        for delivery in &self.deliveries {
            if !lanes.contains(&delivery.lane) {
                lanes.push(delivery.lane);
            }
        }
        lanes
    }

    /// Looks at a lane that nobody has, or that has just been settled, when `just_claimed` are in hand beside the others.
    fn claim(&mut self, lane: usize, just_claimed: &[i64]) -> Option<i64> {
        let in_hand = |one: &Delivery| self.held.contains(&one.id) || just_claimed.contains(&one.id);
        let sends_a_suspect = self.deliveries.iter().any(|one| one.is_suspect() && in_hand(one));
        let mut best: Option<(i64, i64)> = None;
        for class in CLASSES {
            let mut of_class: Vec<usize> = (0..self.deliveries.len())
                .filter(|index| {
                    let one = &self.deliveries[*index];
                    one.lane == lane && one.class == class && one.waits_in_line()
                })
                .collect();
            of_class.sort_by_key(|index| (self.deliveries[*index].place, self.deliveries[*index].id));
            for index in of_class {
                let first = &mut self.deliveries[index];
                if first.expires_at <= self.now {
                    first.end(DeliveryState::Expired);
                    continue;
                }
                let is_blocked = first.due_at.is_some_and(|at| at > self.now);
                let is_next = !is_blocked && best.is_none_or(|best| (first.place, first.id) < best);
                if is_next && first.is_suspect() && sends_a_suspect {
                    first.due_at = Some((self.now + 1).min(first.expires_at));
                } else if is_next {
                    best = Some((first.place, first.id));
                }
                break;
            }
        }
        self.lanes[lane].next_at = None;
        self.lanes[lane].claimed = best.is_some();
        let (_, id) = best?;
        let delivery = self.delivery(id);
        delivery.state = DeliveryState::Sending;
        delivery.due_at = None;
        delivery.starts += 1;
        Some(id)
    }

    fn settle(&mut self, id: i64, how: How, next: Next) -> Event {
        let now = self.now;
        let delivery = self.delivery(id);
        let (lane, is_handler) = (delivery.lane, delivery.is_handler);
        let mut lane_waits_until = None;
        match how {
            How::Handled { children } if is_handler => {
                let parent = delivery.clone();
                delivery.end(DeliveryState::Delivered);
                for _ in 0..children {
                    let id = self.deliveries.len() as i64 + 1;
                    self.deliveries.push(Delivery {
                        id,
                        state: DeliveryState::Available,
                        starts: 0,
                        lost: 0,
                        repeat_possible: false,
                        policy: UnknownPolicy::default(),
                        is_handler: false,
                        ..parent.clone()
                    });
                }
                self.lanes[lane].claimed = false;
                self.lanes[lane].next_at = (self.backlog(lane) > 0).then_some(now);
                return Event::Nothing;
            }
            How::Delivered | How::Handled { .. } => delivery.end(DeliveryState::Delivered),
            How::Retry { wait, unknown, pause } => {
                delivery.state = DeliveryState::Retryable;
                delivery.due_at = Some((now + wait).min(delivery.expires_at));
                delivery.repeat_possible |= unknown;
                lane_waits_until = pause.then_some(now + wait);
            }
            How::Dead => delivery.end(DeliveryState::Dead),
            How::Unknown => {
                delivery.end(DeliveryState::Unknown);
                delivery.repeat_possible |= delivery.policy != UnknownPolicy::Reconcile;
            }
            How::Closed => {
                delivery.end(DeliveryState::Dead);
                let others = self.deliveries.iter_mut();
                for other in others.filter(|one| one.lane == lane && one.is_open()) {
                    other.end(DeliveryState::Refused);
                }
                self.lanes[lane].closed = true;
            }
            How::PutBack => {
                delivery.starts -= 1;
                delivery.state = if delivery.starts > 0 {
                    DeliveryState::Retryable
                } else {
                    DeliveryState::Available
                };
            }
        }
        let is_empty = self.backlog(lane) == 0;
        self.lanes[lane].claimed = false;
        if lane_waits_until.is_some() {
            self.lanes[lane].next_at = lane_waits_until;
        } else if !is_empty && next == Next::SameLane {
            let claimed = self.claim(lane, &[]).into_iter().collect();
            return self.hold(claimed);
        } else if !is_empty {
            self.lanes[lane].next_at = Some(now);
        }
        Event::Claimed(Vec::new())
    }

    fn lose(&mut self, id: i64) {
        let now = self.now;
        let delivery = self.delivery(id);
        delivery.lost += 1;
        delivery.repeat_possible |= !delivery.is_handler && delivery.policy != UnknownPolicy::Reconcile;
        delivery.state = if delivery.lost >= 3 {
            DeliveryState::Dead
        } else if !delivery.is_handler && delivery.policy == UnknownPolicy::AtMostOnce {
            DeliveryState::Unknown
        } else {
            DeliveryState::Retryable
        };
        if delivery.state == DeliveryState::Retryable && delivery.is_suspect() {
            delivery.due_at = Some((now + 10).min(delivery.expires_at));
        }
        let lane = delivery.lane;
        self.lanes[lane].claimed = false;
        self.lanes[lane].next_at = (self.backlog(lane) > 0).then_some(now);
    }
}
