//! Random sequences of what the engine does to the ledger, on SQLite and on PostgreSQL, beside a model of it in memory.
//!
//! An [`Op`] says what is done and [`Hands::apply`] does it in one transaction of whichever database; what came of it is an
//! [`Event`]. Neither knows the model: one sequence runs on both databases, and the three histories are the same.

mod model;
mod op;

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::Timestamp;
use proptest::prelude::*;
use tidings_store::{Database, Tx, params};

use super::*;
use crate::MIGRATIONS;
use crate::delivery::{DeliveryId, Failure};
use crate::outcome::{AttemptOutcome, PauseScope};
use crate::reason::{CloseReason, DeadReason};
use crate::state::DeliveryState;
use crate::stats::EngineCounters;
use crate::terms::Terms;
use crate::test_ledger::database;
#[cfg(unix)]
use crate::test_ledger::on_postgres;
use crate::unknown_policy::UnknownPolicy;

use model::Model;
use op::{How, Op, op};

const CONVERSATIONS: [&str; 3] = ["alice", "bob", "carol"];
const CLASSES: [&str; 2] = ["message", "alert"];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What came of it. Ids are as the database gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Enqueued {
        id: i64,
        state: DeliveryState,
        replay: bool,
    },
    /// In the order of the batch.
    EnqueuedAll(Vec<(i64, DeliveryState, bool)>),
    /// In the order of their ids.
    Claimed(Vec<i64>),
    LeaseLost,
    Nothing,
}

/// Whoever works on the ledger: what it has claimed, and what it had claimed before it was declared dead.
struct Hands {
    now: i64,
    node: NodeId,
    terms: Mutex<Terms>,
    counters: EngineCounters,
    held: Vec<Claimed>,
    lost: Vec<Claimed>,
}

fn of(conversation: usize, class: usize, handler: bool) -> NewDelivery {
    let content = if handler {
        Content::Handler {
            name: "handler".to_owned(),
            payload: "{}".to_owned(),
        }
    } else {
        Content::Activity("{}".to_owned())
    };
    NewDelivery {
        channel_id: "test".to_owned(),
        conversation_id: CONVERSATIONS[conversation].to_owned(),
        reference: r#"{"serviceUrl":"http://host"}"#.to_owned(),
        identity: None,
        content,
        class: CLASSES[class].to_owned(),
        policy: UnknownPolicy::default(),
        dedupe: None,
        not_before: None,
        expires_at: Timestamp::MAX,
        parent: None,
        trace: None,
    }
}

impl Hands {
    fn new(tx: &Tx<'_>) -> Result<Self> {
        Ok(Hands {
            now: 1_000,
            node: register(tx, "node", at(1_000), std::time::Duration::from_secs(15))?,
            terms: Mutex::default(),
            counters: EngineCounters::default(),
            held: Vec::new(),
            lost: Vec::new(),
        })
    }

    fn apply(&mut self, tx: &Tx<'_>, op: Op) -> Result<Event> {
        let now = at(self.now);
        match op {
            Op::Wait { seconds } => {
                self.now += seconds;
                Ok(Event::Nothing)
            }
            Op::Enqueue { may_claim, .. } => {
                let new = self.new_delivery(op);
                let claiming = may_claim.then_some(Claiming {
                    node: self.node,
                    terms: &self.terms,
                    counters: &self.counters,
                });
                let mut allowance = Allowance::new(None, claiming, usize::from(may_claim));
                let enqueued = enqueue(tx, new, now, Insist::No, &mut allowance)?.unwrap();
                let event = Event::Enqueued {
                    id: enqueued.id.0,
                    state: enqueued.state,
                    replay: enqueued.replay,
                };
                self.held.extend(enqueued.claimed);
                Ok(event)
            }
            Op::EnqueueAll { may_claim, .. } => {
                let batch: Vec<NewDelivery> =
                    op.parts().into_iter().map(|op| self.new_delivery(op)).collect();
                let claiming = may_claim.then_some(Claiming {
                    node: self.node,
                    terms: &self.terms,
                    counters: &self.counters,
                });
                let mut allowance = Allowance::new(None, claiming, batch.len());
                let mut enqueued = enqueue_all(tx, batch, now, Insist::No, &mut allowance)?.unwrap();
                let claimed = enqueued.iter_mut().filter_map(|one| one.claimed.take());
                self.held.extend(claimed);
                let standing = enqueued.iter().map(|one| (one.id.0, one.state, one.replay));
                Ok(Event::EnqueuedAll(standing.collect()))
            }
            Op::Claim => {
                let claiming = Claiming {
                    node: self.node,
                    terms: &self.terms,
                    counters: &self.counters,
                };
                let ready = claim_ready(tx, claiming, now, 1_000)?;
                assert!(!ready.more);
                Ok(self.hold(ready.claimed))
            }
            Op::ReleaseDue => {
                assert!(!release_due(tx, now)?.more);
                Ok(Event::Nothing)
            }
            Op::Settle { which, how, next } => {
                if self.held.is_empty() {
                    return Ok(Event::Nothing);
                }
                let claimed = self.held.remove(which % self.held.len());
                self.settle(tx, claimed, how, next)
            }
            Op::SettleAll { how, next } => {
                let (handlers, activities): (Vec<Claimed>, Vec<Claimed>) = std::mem::take(&mut self.held)
                    .into_iter()
                    .partition(|claimed| matches!(claimed.content, Content::Handler { .. }));
                self.held = handlers;
                let settled = self.settle_all(tx, activities, how, next)?;
                let next = settled.into_iter().filter_map(|settled| match settled {
                    Settled::Recorded(next) => next.map(|next| *next),
                    Settled::LeaseLost => panic!("nobody has taken anything over"),
                });
                Ok(self.hold(next.collect()))
            }
            Op::SettleLate { which } => {
                if self.lost.is_empty() {
                    return Ok(Event::Nothing);
                }
                let claimed = self.lost[which % self.lost.len()].clone();
                if matches!(claimed.content, Content::Handler { .. }) {
                    assert!(
                        settle_handled(tx, &claimed, Vec::new(), &mut Allowance::new(None, None, 0), now)
                            .is_err()
                    );
                    return Ok(Event::LeaseLost);
                }
                self.settle(tx, claimed, How::Delivered, Next::SameLane)
            }
            Op::TakeOver => {
                let dead = self.node;
                self.node = register(tx, "node", now, std::time::Duration::from_secs(15))?;
                while take_over_all(tx, self.node, &HashMap::new(), now)?.more {}
                assert_ne!(dead, self.node);
                self.lost.append(&mut self.held);
                Ok(Event::Nothing)
            }
        }
    }

    fn hold(&mut self, mut claimed: Vec<Claimed>) -> Event {
        claimed.sort_by_key(|claimed| claimed.id);
        let ids = claimed.iter().map(|claimed| claimed.id.0).collect();
        self.held.extend(claimed);
        self.held.sort_by_key(|claimed| claimed.id);
        Event::Claimed(ids)
    }

    fn new_delivery(&self, op: Op) -> NewDelivery {
        let Op::Enqueue {
            conversation,
            class,
            delay,
            lives,
            handler,
            policy,
            key,
            ..
        } = op
        else {
            unreachable!("only what is enqueued is a delivery")
        };
        NewDelivery {
            policy,
            not_before: (delay > 0).then(|| at(self.now + delay)),
            expires_at: at(self.now + delay + lives),
            dedupe: key.map(|key| Dedupe {
                key: key.to_string(),
                body_sha256: [key + 1; 32],
            }),
            ..of(conversation, class, handler)
        }
    }

    fn settle(&mut self, tx: &Tx<'_>, claimed: Claimed, how: How, next: Next) -> Result<Event> {
        let now = at(self.now);
        let is_handler = matches!(claimed.content, Content::Handler { .. });
        if let (How::Handled { children }, true) = (how, is_handler) {
            let children = (0..children).map(|_| NewDelivery {
                expires_at: claimed.expires_at,
                parent: Some(Parent {
                    id: claimed.id,
                    place: claimed.place,
                }),
                class: claimed.class.clone(),
                conversation_id: claimed.conversation_id.clone(),
                ..of(0, 0, false)
            });
            let mut allowance = Allowance::new(None, None, 0);
            settle_handled(tx, &claimed, children.collect(), &mut allowance, now)?;
            return Ok(Event::Nothing);
        }
        match self.settle_all(tx, vec![claimed], how, next)?.pop() {
            Some(Settled::Recorded(next)) => Ok(self.hold(next.into_iter().map(|next| *next).collect())),
            _ => Ok(Event::LeaseLost),
        }
    }

    fn settle_all(&self, tx: &Tx<'_>, claimed: Vec<Claimed>, how: How, next: Next) -> Result<Vec<Settled>> {
        let now = at(self.now);
        let outcomes: Vec<Outcome> = claimed
            .into_iter()
            .map(|claimed| Outcome {
                claimed,
                called: true,
                ended_at: now,
                ending: self.ending(how),
            })
            .collect();
        let claiming = Claiming {
            node: self.node,
            terms: &self.terms,
            counters: &self.counters,
        };
        settle_all(tx, outcomes.iter().map(|outcome| (outcome, next)), now, claiming)
    }

    fn ending(&self, how: How) -> Ending {
        let failed = |outcome| Failed {
            outcome,
            failure: Failure::default(),
            retry_after_ms: None,
        };
        match how {
            How::Delivered | How::Handled { .. } => Ending::Delivered { activity_id: None },
            How::Retry { wait, unknown, pause } => Ending::Retry {
                due_at: at(self.now + wait),
                repeat_possible: unknown,
                pause: pause.then_some(PauseScope::Lane),
                failed: failed(AttemptOutcome::NotSent),
            },
            How::Dead => Ending::Dead {
                reason: DeadReason::Rejected,
                failed: failed(AttemptOutcome::Rejected),
            },
            How::Unknown => Ending::Unknown {
                failed: failed(AttemptOutcome::Unknown),
            },
            How::Closed => Ending::Closed {
                reason: CloseReason::Forbidden,
                failed: failed(AttemptOutcome::Closed),
            },
            How::PutBack => Ending::PutBack,
        }
    }
}

/// What is compared of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    id: i64,
    state: DeliveryState,
    /// Seconds.
    due_at: Option<i64>,
    starts: u32,
    repeat_possible: bool,
    has_ended: bool,
}

/// What is compared of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LaneStanding {
    conversation: String,
    /// Seconds.
    next_at: Option<i64>,
    claimed: bool,
    closed: bool,
    backlog: i64,
}

fn standings(tx: &Tx<'_>) -> Result<(Vec<Standing>, Vec<LaneStanding>)> {
    let seconds = |micros: Option<i64>| micros.map(|micros| micros / 1_000_000);
    let deliveries = tx.all(
        "SELECT id, state, due_at, starts, repeat_possible, ended_at IS NOT NULL FROM deliveries ORDER BY id",
        params![],
        |row| {
            Ok(Standing {
                id: row.get(0)?,
                state: DeliveryState::from_row(row.text(1)?).unwrap(),
                due_at: seconds(row.get(2)?),
                starts: row.get(3)?,
                repeat_possible: row.get(4)?,
                has_ended: row.get(5)?,
            })
        },
    )?;
    let lanes = tx.all(
        "SELECT conversation_id, next_at, node IS NOT NULL, closed_reason IS NOT NULL, backlog FROM lanes
         ORDER BY conversation_id",
        params![],
        |row| {
            Ok(LaneStanding {
                conversation: row.get(0)?,
                next_at: seconds(row.get(1)?),
                claimed: row.get(2)?,
                closed: row.get(3)?,
                backlog: row.get(4)?,
            })
        },
    )?;
    Ok((deliveries, lanes))
}

/// Runs a sequence, each step in a transaction of its own, and compares the ledger with the model after each. Returns
/// the history.
async fn run(db: &Database, ops: &[Op]) -> Vec<Event> {
    let mut hands = db.write(Hands::new).await.unwrap();
    let mut model = Model::new(hands.now);
    let mut history = Vec::new();
    for &op in ops {
        let step = db.write(move |tx| {
            let event = hands.apply(tx, op)?;
            Ok((hands, event, standings(tx)?))
        });
        let (back, event, (deliveries, lanes)) = step.await.unwrap();
        hands = back;
        assert_eq!(event, model.apply(op), "{op:?} after {history:?}");
        assert_eq!(deliveries, model.deliveries(), "after {op:?}");
        assert_eq!(lanes, model.lanes(), "after {op:?}");
        history.push(event);
    }
    history
}

/// The history of a sequence on an empty ledger, in which everything has ended then.
async fn history_on(db: Database, ops: &[Op]) -> Vec<Event> {
    let history = run(&db, ops).await;
    let open = db.read(|tx| {
        let select = "SELECT count(*) FROM deliveries WHERE ended_at IS NULL";
        tx.first(select, &[], |row| row.get::<i64>(0))
    });
    assert_eq!(open.await.unwrap(), Some(0));
    db.close().await;
    history
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    /// Whatever is done in whatever order, the ledger stands as the model does, on both databases; and in the end
    /// everything has ended.
    #[test]
    fn the_ledger_stands_as_its_model(ops in prop::collection::vec(op(), 1..80)) {
        let mut ops = ops;
        // Everything that is left is brought to its end: the last of it expires.
        for _ in 0..14 {
            ops.extend([Op::Wait { seconds: 80 }, Op::ReleaseDue, Op::Claim]);
            ops.extend([Op::Settle { which: 0, how: How::Delivered, next: Next::SameLane }; 3]);
        }
        let on_sqlite = block_on(history_on(Database::temporary([MIGRATIONS]).unwrap(), &ops));
        #[cfg(unix)]
        prop_assert_eq!(&block_on(history_on(on_postgres(), &ops)), &on_sqlite);
        prop_assert_eq!(on_sqlite.len(), ops.len());
    }
}

#[test]
fn many_expired_deliveries_are_cleared_over_several_transactions() {
    block_on(async {
        let db = database();
        let rows = 600_i64;
        let (fresh, hands) = db
            .write(move |tx| {
                let mut hands = Hands::new(tx)?;
                let mut last = 0;
                for n in 0..=rows {
                    let new = NewDelivery {
                        expires_at: at(if n == rows { 9_000 } else { 1_010 }),
                        ..of(0, 0, false)
                    };
                    last = enqueue(
                        tx,
                        new,
                        at(hands.now),
                        Insist::No,
                        &mut Allowance::new(None, None, 0),
                    )?
                    .unwrap()
                    .id
                    .0;
                }
                hands.now = 1_010;
                Ok((last, hands))
            })
            .await
            .unwrap();
        let look = async |hands: Hands| {
            db.write(move |tx| {
                let claiming = Claiming {
                    node: hands.node,
                    terms: &hands.terms,
                    counters: &hands.counters,
                };
                let ready = claim_ready(tx, claiming, at(hands.now), 4)?;
                let expired: Option<i64> = tx.first(
                    "SELECT count(*) FROM deliveries WHERE state = 'expired'",
                    &[],
                    |row| row.get(0),
                )?;
                let claimed: Vec<DeliveryId> = ready.claimed.iter().map(|claimed| claimed.id).collect();
                Ok((hands, claimed, ready.more, expired.unwrap()))
            })
            .await
            .unwrap()
        };
        let (hands, claimed, more, expired) = look(hands).await;
        assert_eq!((claimed.as_slice(), more, expired), ([].as_slice(), true, 256));
        let (hands, claimed, more, expired) = look(hands).await;
        assert_eq!((claimed.as_slice(), more, expired), ([].as_slice(), true, 512));
        let (_, claimed, more, expired) = look(hands).await;
        assert_eq!((claimed, more, expired), (vec![DeliveryId(fresh)], false, rows));
    });
}

/// Each query of the hot paths finds its rows by an index: no log is too long for it.
#[test]
fn nothing_is_found_by_scanning() {
    let queries = [
        (
            "SELECT id FROM lanes WHERE next_at <= ?1 ORDER BY next_at",
            "lanes_ready",
        ),
        (
            "SELECT id, lane_id, expires_at FROM deliveries WHERE due_at IS NOT NULL AND due_at <= ?1
             ORDER BY due_at LIMIT 512",
            "deliveries_due",
        ),
        (
            "SELECT due_at FROM deliveries WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1",
            "deliveries_due",
        ),
        (
            "SELECT id, coalesce(place, id), class, expires_at, due_at FROM deliveries
             WHERE lane_id = ?1 AND class > ?2 AND (state = 'available' OR state = 'retryable')
             ORDER BY lane_id, class, coalesce(place, id), id LIMIT 1",
            "deliveries_ready",
        ),
    ];
    block_on(async {
        let db = Database::temporary([MIGRATIONS]).unwrap();
        for (sql, index) in queries {
            let plan = db
                .read(move |tx| {
                    let zero = 0_i64;
                    let all: [&dyn tidings_store::ToColumn; 2] = [&zero, &zero];
                    let count = sql.matches('?').count();
                    tx.all(&format!("EXPLAIN QUERY PLAN {sql}"), &all[..count], |row| {
                        row.get::<String>(3)
                    })
                })
                .await
                .unwrap()
                .join("; ");
            assert!(plan.contains(&format!("INDEX {index}")), "{sql}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
        }
    });
}
