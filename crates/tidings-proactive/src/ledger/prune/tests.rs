use tidings_store::Database;

use super::*;
use crate::delivery::DeliveryState;
use crate::test_ledger::{at, check_lanes, database, delivery, lane, number, set, write};

const DAY: i64 = 24 * 3_600;

/// Prunes until nothing is left to look at, and returns what was deleted and in how many transactions.
async fn prune(database: &Database, pruner: Pruner, now: Timestamp) -> (Pruner, Pruned, u32) {
    let (mut pruner, mut pruned, mut rounds) = (pruner, Pruned::default(), 0);
    loop {
        let (mut walks, mut counts) = (pruner, pruned);
        let (more, walks, counts) = write(database, move |tx| {
            let more = walks.prune(tx, now, &mut counts)?;
            check_lanes(tx);
            Ok((more, walks, counts))
        })
        .await;
        (pruner, pruned, rounds) = (walks, counts, rounds + 1);
        if !more {
            return (pruner, pruned, rounds);
        }
    }
}

fn wait_and_attempt(tx: &Tx<'_>, id: i64) {
    tx.execute(
        "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, 1, 2, 'backoff'), (?1, 3, 4, 'pacing')",
        params![id],
    )
    .unwrap();
    tx.execute(
        "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome) VALUES (?1, 1, 1, 1, 1, 2, 'lost')",
        params![id],
    )
    .unwrap();
}

#[tokio::test]
async fn what_ended_longer_ago_than_the_retention_goes_with_all_of_it() {
    let database = database();
    let now = 100 * DAY;
    let kept = write(&database, move |tx| {
        let (one, other) = (lane(tx, "msteams", "a"), lane(tx, "msteams", "b"));
        let (paused, closed) = (lane(tx, "msteams", "paused"), lane(tx, "msteams", "closed"));
        tx.execute("UPDATE lanes SET paused = TRUE WHERE id = ?1", params![paused])?;
        tx.execute("UPDATE lanes SET closed_reason = 'gone' WHERE id = ?1", params![closed])?;
        let old = delivery(tx, one, "message", DeliveryState::Delivered, now - 31 * DAY);
        let older = delivery(tx, other, "message", DeliveryState::Dead, now - 90 * DAY);
        let old_and_open = delivery(tx, one, "message", DeliveryState::Scheduled, now - 60 * DAY);
        // Put on record long ago, ended the other day.
        let ended_late = delivery(tx, one, "message", DeliveryState::Dead, now - 40 * DAY);
        set(tx, ended_late, "ended_at", at(now - 2 * DAY).as_microsecond());
        let at_the_edge = delivery(tx, one, "message", DeliveryState::Unknown, now - 30 * DAY);
        let fresh = delivery(tx, one, "message", DeliveryState::Delivered, now - DAY);
        for id in [old, older, ended_late, fresh] {
            wait_and_attempt(tx, id);
        }
        for (key, expires) in [("over", now), ("open", now + 1)] {
            tx.execute(
                "INSERT INTO dedupe_keys (tenant, key, delivery_id, body_sha256, expires_at) VALUES ('', ?1, 1, ?2, ?3)",
                params![key, [0_u8; 32], at(expires).as_microsecond()],
            )?;
        }
        Ok([old_and_open, ended_late, at_the_edge, fresh])
    })
    .await;
    let (_, pruned, _) = prune(&database, Pruner::default(), at(now)).await;
    let expected = Pruned {
        deliveries: 2,
        attempts: 2,
        waits: 4,
        keys: 1,
        lanes: 1,
    };
    assert_eq!(pruned, expected);
    write(&database, move |tx| {
        let ids = tx.all("SELECT id FROM deliveries ORDER BY id", &[], |row| {
            row.get::<i64>(0)
        })?;
        assert_eq!(ids, kept);
        assert_eq!(number(tx, "SELECT count(*) FROM attempts"), 2);
        assert_eq!(number(tx, "SELECT count(*) FROM delivery_waits"), 4);
        assert_eq!(number(tx, "SELECT count(*) FROM lane_addresses"), 3);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn much_is_deleted_in_many_small_transactions_and_the_rest_is_not_passed_by_again() {
    let database = database();
    let now = 100 * DAY;
    write(&database, move |tx| {
        let lane = lane(tx, "msteams", "a");
        for _ in 0..700 {
            delivery(tx, lane, "message", DeliveryState::Scheduled, now - 40 * DAY);
        }
        for _ in 0..1_000 {
            delivery(tx, lane, "message", DeliveryState::Delivered, now - 35 * DAY);
        }
        delivery(tx, lane, "message", DeliveryState::Delivered, now - DAY);
        Ok(())
    })
    .await;
    let (pruner, pruned, rounds) = prune(&database, Pruner::default(), at(now)).await;
    assert_eq!((pruned.deliveries, rounds), (1_000, 4));
    // A minute later it goes on where it was: what it passed by has ended meanwhile, but is not looked at.
    write(&database, |tx| {
        tx.execute(
            "UPDATE deliveries SET state = 'cancelled', ended_at = 1 WHERE state = 'scheduled'",
            &[],
        )?;
        tx.execute("UPDATE lanes SET backlog = 0", &[])
    })
    .await;
    let (pruner, pruned, _) = prune(&database, pruner, at(now + 60)).await;
    assert_eq!(pruned.deliveries, 0);
    let (_, pruned, _) = prune(&database, pruner, at(now + DAY)).await;
    assert_eq!(pruned.deliveries, 700);
}
