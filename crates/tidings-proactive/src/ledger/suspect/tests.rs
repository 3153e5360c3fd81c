use std::sync::Mutex;

use super::*;
use crate::ledger::settle::{Ending, Next, Outcome, settle_all};
use crate::ledger::{Claimed, claim_ready, register, release_due};
use crate::state::DeliveryState;
use crate::stats::EngineCounters;
use crate::terms::Terms;
use crate::test_ledger::{at, check_lanes, database, delivery, lane, number, set, write};

/// A delivery to a conversation of its own that was lost so often.
fn lost(tx: &Tx<'_>, conversation: &str, times: u32) -> Result<DeliveryId> {
    let lane = lane(tx, "test", conversation);
    let id = delivery(tx, lane, "message", DeliveryState::Retryable, 100);
    set(tx, id, "starts", i64::from(times));
    for start in 1..=times {
        tx.execute(
            "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome)
             VALUES (?1, ?2, 1, 1, 1, 1, 'lost')",
            params![id, start],
        )?;
    }
    Ok(DeliveryId(id))
}

struct Node {
    id: NodeId,
    terms: Mutex<Terms>,
    counters: EngineCounters,
}

impl Node {
    fn new(tx: &Tx<'_>) -> Result<Node> {
        Ok(Node {
            id: register(tx, "node", at(100), Duration::from_secs(15))?,
            terms: Mutex::default(),
            counters: EngineCounters::default(),
        })
    }

    fn claiming(&self) -> Claiming<'_> {
        Claiming {
            node: self.id,
            terms: &self.terms,
            counters: &self.counters,
        }
    }

    /// Claims what is ready at that second.
    fn claim(&self, tx: &Tx<'_>, second: i64) -> Result<Vec<Claimed>> {
        release_due(tx, at(second))?;
        let mut claimed = claim_ready(tx, self.claiming(), at(second), 100)?.claimed;
        claimed.sort_unstable_by_key(|one| one.id);
        Ok(claimed)
    }
}

fn ids(claimed: &[Claimed]) -> Vec<DeliveryId> {
    claimed.iter().map(|one| one.id).collect()
}

#[tokio::test]
async fn each_node_sends_one_suspect_at_a_time_and_whatever_else_is_ready() {
    write(&database(), |tx| {
        let (first, second) = (Node::new(tx)?, Node::new(tx)?);
        let clear = lost(tx, "clear", SUSPECTED - 1)?;
        let suspects = ["a", "b", "c"].map(|conversation| lost(tx, conversation, SUSPECTED).unwrap());
        let mut claimed = first.claim(tx, 100)?;
        assert_eq!(ids(&claimed), [clear, suspects[0]]);
        check_lanes(tx);
        // The others come back after a second, and go to whoever sends none.
        assert_eq!(ids(&first.claim(tx, 100)?), []);
        assert_eq!(ids(&second.claim(tx, 100)?), []);
        assert_eq!(ids(&second.claim(tx, 101)?), [suspects[1]]);
        assert_eq!(ids(&first.claim(tx, 102)?), []);
        let outcome = Outcome {
            claimed: claimed.remove(1),
            called: true,
            ended_at: at(103),
            ending: Ending::Delivered { activity_id: None },
        };
        settle_all(
            tx,
            [(&outcome, Next::SameLane)].into_iter(),
            at(103),
            first.claiming(),
        )?;
        assert_eq!(ids(&first.claim(tx, 103)?), [suspects[2]]);
        assert_eq!(
            number(tx, "SELECT count(*) FROM delivery_waits WHERE reason = 'backoff'"),
            2
        );
        check_lanes(tx);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_suspect_waits_no_longer_than_it_lives() {
    write(&database(), |tx| {
        let now = at(100);
        for (expires, waits) in [(109, 109), (110, 110), (111, 110)] {
            let id = lost(tx, &format!("suspect until {expires}"), SUSPECTED)?;
            let until = wait(tx, id, at(expires).as_microsecond(), now)?;
            assert_eq!(until, Some(at(waits).as_microsecond()));
        }
        let once = lost(tx, "lost once", SUSPECTED - 1)?;
        assert_eq!(wait(tx, once, at(200).as_microsecond(), now)?, None);
        assert!(!is_poison(tx, lost(tx, "twice", CONVICTED - 1)?)?);
        assert!(is_poison(tx, lost(tx, "three times", CONVICTED)?)?);
        Ok(())
    })
    .await;
}
