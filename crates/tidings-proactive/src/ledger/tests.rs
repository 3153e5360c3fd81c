use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use tidings_store::rusqlite::Connection;

use super::read::Due;
use super::*;
use crate::MIGRATIONS;

const CONVERSATIONS: [&str; 3] = ["alice", "bob", "carol"];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn database() -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    for migration in MIGRATIONS.sqlite {
        conn.execute_batch(migration).unwrap();
    }
    conn
}

fn owed(conversation: &str, expires_at: Timestamp) -> NewDelivery {
    NewDelivery {
        channel_id: "test".to_owned(),
        conversation_id: conversation.to_owned(),
        class: "message",
        identity: None,
        reference: "{}".to_owned(),
        activity: "{}".to_owned(),
        dedupe_key: None,
        expires_at,
    }
}

/// Each query of the hot paths finds its rows by an index: no log is too long for it.
#[test]
fn nothing_is_found_by_scanning() {
    let conn = database();
    let plan = |sql: &str| -> String {
        let mut statement = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let parameters = vec![0_i64; statement.parameter_count()];
        let rows = statement
            .query_map(tidings_store::rusqlite::params_from_iter(parameters), |row| {
                row.get::<_, String>(3)
            })
            .unwrap();
        rows.collect::<std::result::Result<Vec<_>, _>>()
            .unwrap()
            .join("; ")
    };
    for (sql, index) in [
        (LANE_IS_BUSY, "deliveries_open"),
        (OLDEST_OF_LANE, "deliveries_open"),
        (BY_DEDUPE_KEY, "sqlite_autoindex_deliveries_1"),
        (DUE, "deliveries_due"),
        (read::DUE_TIMES, "deliveries_due"),
        (TAKE_BACK, "deliveries_open"),
        (END_WAITS, "deliveries_due"),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(&format!("INDEX {index}")), "{sql}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

#[test]
fn many_expired_deliveries_are_cleared_over_several_transactions() {
    let conn = database();
    let at_once = i64::try_from(EXPIRED_AT_ONCE).unwrap();
    let rows = 2 * at_once + 10;
    for _ in 0..rows {
        insert(&conn, owed("alice", at(10)), at(0), false).unwrap();
    }
    let fresh = insert(&conn, owed("alice", at(1_000)), at(0), false).unwrap().id;
    let expired = || -> i64 {
        conn.query_row(
            "SELECT count(*) FROM deliveries WHERE state = 'expired'",
            [],
            |row| row.get(0),
        )
        .unwrap()
    };
    assert!(claim_due(&conn, at(10), 1).unwrap().is_empty());
    assert_eq!(expired(), at_once + 1);
    assert!(claim_due(&conn, at(10), 1).unwrap().is_empty());
    let claimed = claim_due(&conn, at(10), 1).unwrap();
    assert_eq!((claimed.len(), claimed[0].id, expired()), (1, fresh, rows));
}

#[derive(Clone, Debug)]
enum Act {
    Enqueue {
        conversation: usize,
        claim: bool,
        lives: i64,
    },
    ClaimDue {
        limit: usize,
    },
    Settle {
        which: usize,
        together: usize,
        ending: usize,
        next: usize,
        look: bool,
    },
    Wait {
        seconds: i64,
    },
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..CONVERSATIONS.len(), any::<bool>(), 1..200_i64)
            .prop_map(|(conversation, claim, lives)| Act::Enqueue { conversation, claim, lives }),
        2 => (1..5_usize).prop_map(|limit| Act::ClaimDue { limit }),
        4 => (any::<prop::sample::Index>(), 1..4_usize, 0..3_usize, 0..3_usize, any::<bool>())
            .prop_map(|(which, together, ending, next, look)| {
                Act::Settle { which: which.index(64), together, ending, next, look }
            }),
        1 => (1..60_i64).prop_map(|seconds| Act::Wait { seconds }),
        1 => Just(Act::Crash),
    ]
}

fn ending(number: usize, now: i64) -> Ending {
    match number {
        0 => Ending::Delivered { activity_id: None },
        1 => Ending::Dead {
            reason: DeadReason::Rejected,
            failure: Failure::default(),
        },
        _ => Ending::Retry {
            due_at: at(now + 7),
            repeat_possible: false,
            failure: Failure::default(),
        },
    }
}

fn outcome(delivery: Claimed, ending: Ending) -> Outcome {
    Outcome {
        id: delivery.id,
        channel_id: delivery.channel_id,
        conversation_id: delivery.conversation_id,
        ending,
    }
}

/// In each conversation exactly the oldest open delivery is being sent or has a time; the others wait for it.
fn check_lanes(conn: &Connection, in_hand: &HashMap<i64, Claimed>) {
    let mut statement = conn
        .prepare("SELECT conversation_id, id, state, due_at IS NOT NULL FROM deliveries WHERE ended_at IS NULL ORDER BY id")
        .unwrap();
    let mut lanes: BTreeMap<String, Vec<(i64, String, bool)>> = BTreeMap::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let open = (row.get(1).unwrap(), row.get(2).unwrap(), row.get(3).unwrap());
        lanes.entry(row.get(0).unwrap()).or_default().push(open);
    }
    for lane in lanes.values() {
        let (head, state, has_time) = &lane[0];
        assert!((state == "sending") != *has_time, "{lane:?}");
        assert_eq!(state == "sending", in_hand.contains_key(head), "{lane:?}");
        for (id, state, has_time) in &lane[1..] {
            assert!(state == "available" && !has_time, "{lane:?}");
            assert!(!in_hand.contains_key(id), "{lane:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever happens in whatever order: one head per conversation, no delivery in two hands, the order kept,
    /// and in the end everything has ended.
    #[test]
    fn lanes_stay_in_order(acts in prop::collection::vec(act(), 1..80)) {
        let conn = database();
        let mut now = 0;
        let mut in_hand: HashMap<i64, Claimed> = HashMap::new();
        let mut last_ended: HashMap<String, i64> = HashMap::new();
        let mut enqueued = 0;
        let mut take = |in_hand: &mut HashMap<i64, Claimed>, claimed: Vec<Claimed>| {
            for delivery in claimed {
                let earlier = last_ended.insert(delivery.conversation_id.clone(), delivery.id.0);
                prop_assert!(earlier.is_none_or(|earlier| earlier <= delivery.id.0), "overtaken");
                prop_assert!(in_hand.insert(delivery.id.0, delivery).is_none(), "in two hands");
            }
            Ok(())
        };
        for act in acts {
            match act {
                Act::Enqueue { conversation, claim, lives } => {
                    let new = owed(CONVERSATIONS[conversation], at(now + lives));
                    let inserted = insert(&conn, new, at(now), claim).unwrap();
                    enqueued += 1;
                    take(&mut in_hand, inserted.claimed.into_iter().collect())?;
                }
                Act::ClaimDue { limit } => {
                    let claimed = claim_due(&conn, at(now), limit).unwrap();
                    prop_assert!(claimed.len() <= limit);
                    take(&mut in_hand, claimed)?;
                }
                Act::Settle { which, together, ending: number, next, look } => {
                    let mut ids: Vec<i64> = in_hand.keys().copied().collect();
                    ids.sort_unstable();
                    let first = which % ids.len().max(1);
                    ids.rotate_left(first);
                    let next = [Next::SameLane, Next::AnyLane, Next::Stop][next];
                    let outcomes: Vec<Outcome> = ids
                        .iter()
                        .take(together)
                        .map(|id| outcome(in_hand.remove(id).unwrap(), ending(number, now)))
                        .collect();
                    let pairs = outcomes.iter().map(|outcome| (outcome, next));
                    let settled = settle_all(&conn, pairs, at(now), look).unwrap();
                    prop_assert_eq!(settled.claims.len(), outcomes.len());
                    let claimed: Vec<Claimed> = settled.claims.into_iter().flatten().collect();
                    prop_assert!(claimed.is_empty() || next != Next::Stop);
                    prop_assert!(settled.from_the_table <= claimed.len());
                    take(&mut in_hand, claimed)?;
                }
                Act::Wait { seconds } => now += seconds,
                Act::Crash => {
                    prop_assert_eq!(recover(&conn, at(now)).unwrap(), in_hand.len());
                    in_hand.clear();
                }
            }
            check_lanes(&conn, &in_hand);
        }
        // Everything that is left can be brought to an end.
        loop {
            take(&mut in_hand, claim_due(&conn, at(now), 8).unwrap())?;
            now += 7;
            let Some(id) = in_hand.keys().next().copied() else {
                if due(&conn, at(now), 1).unwrap() == Due::default() { break }
                continue;
            };
            let delivery = in_hand.remove(&id).unwrap();
            let outcome = outcome(delivery, ending(0, now));
            let settled = settle_all(&conn, [(&outcome, Next::SameLane)].into_iter(), at(now), false).unwrap();
            take(&mut in_hand, settled.claims.into_iter().flatten().collect())?;
        }
        let (ended, all): (i64, i64) = conn
            .query_row("SELECT count(ended_at), count(*) FROM deliveries", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        prop_assert_eq!((ended, all), (enqueued, enqueued));
    }
}
