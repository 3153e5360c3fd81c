use std::collections::BTreeSet;

use super::*;
use crate::state::DeliveryState;
use crate::test_ledger::{at, check_lanes, database, delivery, lane, number, write};

const LEASE: Duration = Duration::from_secs(15);

/// A node that looks, and one that sends in `lanes` conversations, with what it shows of itself.
fn two_nodes(tx: &Tx<'_>, lanes: i64) -> Result<(NodeId, SignOfLife)> {
    let sending = register(tx, "sending", at(100), LEASE)?;
    for n in 0..lanes {
        let lane = lane(tx, "test", &n.to_string());
        delivery(tx, lane, "message", DeliveryState::Sending, 100);
    }
    tx.execute("UPDATE lanes SET node = ?1", params![sending.0])?;
    let looking = register(tx, "looking", at(100), LEASE)?;
    Ok((looking, shown(tx, looking, sending)?))
}

fn shown(tx: &Tx<'_>, to: NodeId, by: NodeId) -> Result<SignOfLife> {
    let (signs, _) = others(tx, to)?;
    Ok(*signs.iter().find(|sign| sign.node == by).unwrap())
}

fn take(tx: &Tx<'_>, last: SignOfLife, forget: bool) -> Result<TakenOver> {
    take_over(tx, last, forget, &LaneLimits::new(), at(200))
}

fn claimed(tx: &Tx<'_>) -> i64 {
    number(tx, "SELECT count(*) FROM lanes WHERE node IS NOT NULL")
}

#[tokio::test]
async fn each_renewal_shows_another_mark_whatever_the_clock_says() {
    write(&database(), |tx| {
        let (looking, first) = two_nodes(tx, 0)?;
        assert_eq!(first.lease, LEASE);
        let mut marks = BTreeSet::from([first.mark]);
        for second in [101, 101, 9, 0, -5_000, 500, 500, 102] {
            assert!(heartbeat(tx, first.node, at(second), LEASE)?);
            let sign = shown(tx, looking, first.node)?;
            assert!(marks.insert(sign.mark), "{sign:?} at {second}");
            assert!(!sign.is_farewell());
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_comes_before_the_taking_over_wins() {
    write(&database(), |tx| {
        let (_, seen) = two_nodes(tx, 1)?;
        assert!(heartbeat(tx, seen.node, at(100), LEASE)?);
        assert_eq!(take(tx, seen, true)?, TakenOver::default());
        assert_eq!(claimed(tx), 1);
        check_lanes(tx);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_last_commit_of_a_process_takes_nothing_from_those_after_it() {
    write(&database(), |tx| {
        let dead = register(tx, "dead", at(100), LEASE)?;
        let (next, _) = two_nodes(tx, 2)?;
        let limits = LaneLimits::new();
        assert_eq!(take_over_all(tx, dead, &limits, at(200))?, TakenOver::default());
        let nodes = || number(tx, "SELECT count(*) FROM nodes");
        assert_eq!((claimed(tx), nodes()), (2, 3));
        let all = TakenOver { lanes: 2, more: true };
        assert_eq!(take_over_all(tx, next, &limits, at(200))?, all);
        assert_eq!(take_over_all(tx, next, &limits, at(200))?, TakenOver::default());
        assert_eq!((claimed(tx), nodes()), (0, 1));
        check_lanes(tx);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_renewal_in_the_middle_of_the_taking_over_keeps_what_is_left() {
    write(&database(), |tx| {
        let (looking, seen) = two_nodes(tx, LANES_AT_ONCE + 2)?;
        let first = TakenOver {
            lanes: 256,
            more: true,
        };
        assert_eq!(take(tx, seen, false)?, first);
        assert!(heartbeat(tx, seen.node, at(101), LEASE)?);
        assert_eq!(take(tx, seen, false)?, TakenOver::default());
        assert_eq!(claimed(tx), 2);
        let again = shown(tx, looking, seen.node)?;
        assert_eq!(take(tx, again, false)?.lanes, 2);
        assert_eq!(take(tx, again, false)?, TakenOver::default());
        check_lanes(tx);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_node_is_forgotten_when_it_has_no_lanes_any_more() {
    write(&database(), |tx| {
        let (looking, seen) = two_nodes(tx, 1)?;
        assert!(take(tx, seen, true)?.more);
        assert_eq!(shown(tx, looking, seen.node)?, seen);
        assert_eq!(take(tx, seen, false)?, TakenOver::default());
        assert_eq!(shown(tx, looking, seen.node)?, seen);
        assert_eq!(take(tx, seen, true)?, TakenOver::default());
        assert_eq!(others(tx, looking)?, (vec![], false));
        assert!(!heartbeat(tx, seen.node, at(300), LEASE)?, "it has to join anew");
        register_again(tx, seen.node, "sending", at(300), LEASE)?;
        assert!(heartbeat(tx, seen.node, at(300), LEASE)?);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_node_that_leaves_lanes_behind_says_farewell() {
    write(&database(), |tx| {
        let (looking, seen) = two_nodes(tx, 1)?;
        leave(tx, seen.node)?;
        let last = shown(tx, looking, seen.node)?;
        assert!(last.is_farewell());
        assert_eq!(take(tx, last, true)?.lanes, 1);
        assert_eq!(take(tx, last, true)?, TakenOver::default());
        assert_eq!(others(tx, looking)?, (vec![], false));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn lanes_of_a_node_that_nobody_knows_are_seen_and_taken_over() {
    write(&database(), |tx| {
        let (looking, seen) = two_nodes(tx, 1)?;
        assert!(!others(tx, looking)?.1);
        assert_eq!(
            take_over_strays(tx, looking, &LaneLimits::new(), at(200))?.lanes,
            0
        );
        tx.execute("DELETE FROM nodes WHERE id = ?1", params![seen.node.0])?;
        assert!(others(tx, looking)?.1);
        assert!(!others(tx, seen.node)?.1, "they are its own");
        assert_eq!(
            take_over_strays(tx, looking, &LaneLimits::new(), at(200))?.lanes,
            1
        );
        assert!(!others(tx, looking)?.1);
        check_lanes(tx);
        Ok(())
    })
    .await;
}
