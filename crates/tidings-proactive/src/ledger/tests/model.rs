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
    /// Those that are known, the oldest first.
    ages: Vec<usize>,
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
            ages: Vec::new(),
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
            Op::Enqueue { .. } => {
                let (id, state, replay) = self.put(op);
                Event::Enqueued { id, state, replay }
            }
            Op::EnqueueAll { .. } => {
                let parts = op.parts();
                // Conversations that nobody knew are opened first, in the order of their names.
                for lane in 0..self.lanes.len() {
                    let is_new = |part: &Op| match part {
                        Op::Enqueue {
                            conversation, key, ..
                        } => *conversation == lane && key.is_none_or(|key| !self.keys.contains_key(&key)),
                        _ => false,
                    };
                    if parts.iter().any(is_new) {
                        self.open(lane);
                    }
                }
                Event::EnqueuedAll(parts.into_iter().map(|part| self.put(part)).collect())
            }
            Op::Claim => {
                let is_ready = |lane: &usize| self.lanes[*lane].next_at.is_some_and(|at| at <= self.now);
                let ready: Vec<usize> = self.ages.iter().copied().filter(is_ready).collect();
                let claimed = self.claim(&ready);
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
                let is_handled = matches!(how, How::Handled { .. }) && self.delivery(id).is_handler;
                match self.settle(id, how, next) {
                    _ if is_handled => Event::Nothing,
                    goes_on => {
                        let claimed = self.claim(goes_on.as_slice());
                        self.hold(claimed)
                    }
                }
            }
            Op::SettleAll { how, next } => {
                let (handlers, activities): (Vec<i64>, Vec<i64>) = std::mem::take(&mut self.held)
                    .into_iter()
                    .partition(|id| self.delivery(*id).is_handler);
                self.held = handlers;
                let mut go_on: Vec<usize> = activities
                    .into_iter()
                    .filter_map(|id| self.settle(id, how, next))
                    .collect();
                go_on.sort_by_key(|lane| self.ages.iter().position(|known| known == lane));
                let claimed = self.claim(&go_on);
                self.hold(claimed)
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

    fn open(&mut self, lane: usize) {
        if !self.ages.contains(&lane) {
            self.ages.push(lane);
        }
        self.lanes[lane].is_known = true;
    }

    /// Its id, its state, and whether it was there already.
    fn put(&mut self, op: Op) -> (i64, DeliveryState, bool) {
        let Op::Enqueue { key, .. } = op else {
            unreachable!("only what is enqueued is a delivery")
        };
        if let Some(id) = key.and_then(|key| self.keys.get(&key).copied()) {
            return (id, self.delivery(id).state, true);
        }
        let (id, state) = self.enqueue(op);
        if let Some(key) = key {
            self.keys.insert(key, id);
        }
        (id, state, false)
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
        self.open(conversation);
        let lane = &mut self.lanes[conversation];
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

    /// Looks at lanes that nobody has, or that have just been settled: at the first class of all, then at the next.
    fn claim(&mut self, lanes: &[usize]) -> Vec<i64> {
        let mut sends_a_suspect = self
            .deliveries
            .iter()
            .any(|one| one.is_suspect() && self.held.contains(&one.id));
        let mut best: Vec<Option<(i64, i64)>> = vec![None; lanes.len()];
        let mut last: Vec<&str> = vec![""; lanes.len()];
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for (nth, lane) in lanes.iter().enumerate() {
                let now = self.now;
                let in_line = self
                    .deliveries
                    .iter_mut()
                    .filter(|one| one.lane == *lane && one.class > last[nth] && one.waits_in_line());
                let Some(first) = in_line.min_by_key(|one| (one.class, one.place, one.id)) else {
                    continue;
                };
                goes_on = true;
                if first.expires_at <= now {
                    first.end(DeliveryState::Expired);
                    continue;
                }
                last[nth] = first.class;
                let is_blocked = first.due_at.is_some_and(|at| at > now);
                let is_next = !is_blocked && best[nth].is_none_or(|best| (first.place, first.id) < best);
                if is_next && first.is_suspect() && sends_a_suspect {
                    first.due_at = Some((now + 1).min(first.expires_at));
                } else if is_next {
                    sends_a_suspect |= first.is_suspect();
                    best[nth] = Some((first.place, first.id));
                }
            }
        }
        let mut claimed = Vec::new();
        for (lane, best) in lanes.iter().zip(best) {
            self.lanes[*lane].next_at = None;
            self.lanes[*lane].claimed = best.is_some();
            if let Some((_, id)) = best {
                let delivery = self.delivery(id);
                delivery.state = DeliveryState::Sending;
                delivery.due_at = None;
                delivery.starts += 1;
                claimed.push(id);
            }
        }
        claimed
    }

    /// The lane, if the next of it is to be claimed.
    fn settle(&mut self, id: i64, how: How, next: Next) -> Option<usize> {
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
                return None;
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
            return Some(lane);
        } else if !is_empty {
            self.lanes[lane].next_at = Some(now);
        }
        None
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
