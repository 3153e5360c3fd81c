use proptest::prelude::*;
use tidings_store::Database;

use super::*;
use crate::test_ledger::{at, check_lanes, database, delivery, lane, number, put_off, set, write};

const ALL: [DeliveryState; 12] = DeliveryState::ALL;

/// A lane with one delivery in each state, in the order of the states.
async fn one_of_each(database: &Database) -> Vec<i64> {
    write(database, |tx| {
        // Only a claimed lane has one that is being sent.
        let (lane, claimed) = (lane(tx, "msteams", "a"), lane(tx, "msteams", "b"));
        Ok(ALL
            .iter()
            .map(|state| {
                let lane = if *state == DeliveryState::Sending {
                    claimed
                } else {
                    lane
                };
                delivery(tx, lane, "message", *state, 10)
            })
            .collect())
    })
    .await
}

/// What became of each delivery, and whether the lanes are in order.
async fn outcomes<T: Send + 'static>(
    database: &Database,
    ids: &[i64],
    operation: impl Fn(&Tx<'_>, DeliveryId) -> Done<T> + Send + Copy + 'static,
) -> Vec<Option<NotDone>> {
    let mut outcomes = Vec::new();
    for id in ids {
        let id = DeliveryId(*id);
        let outcome = write(database, move |tx| {
            let done = operation(tx, id)?;
            check_lanes(tx);
            Ok(done)
        })
        .await;
        outcomes.push(outcome.err());
    }
    outcomes
}

fn refused_but(allowed: &[DeliveryState]) -> Vec<Option<NotDone>> {
    ALL.iter()
        .map(|state| (!allowed.contains(state)).then_some(NotDone::State(*state)))
        .collect()
}

#[tokio::test]
async fn what_waits_is_cancelled_and_nothing_else() {
    let database = database();
    let ids = one_of_each(&database).await;
    let got = outcomes(&database, &ids, |tx, id| cancel(tx, id, at(20))).await;
    let waiting = [
        DeliveryState::Scheduled,
        DeliveryState::Held,
        DeliveryState::Available,
        DeliveryState::Retryable,
    ];
    assert_eq!(got, refused_but(&waiting));
    let got = outcomes(&database, &[99], |tx, id| cancel(tx, id, at(20))).await;
    assert_eq!(got, [Some(NotDone::Unknown)]);
}

/// The lane was blocked by one that waits for its next attempt; without it the others go on.
#[tokio::test]
async fn cancelling_what_blocks_a_lane_lets_it_go_on() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let first = delivery(tx, lane, "message", DeliveryState::Retryable, 1);
        set(tx, first, "due_at", at(500).as_microsecond());
        begin_wait(tx, first, at(2), Some(at(500)), "backoff")?;
        let second = delivery(tx, lane, "message", DeliveryState::Available, 2);
        tx.execute("UPDATE lanes SET next_at = NULL", &[])?;
        check_lanes(tx);
        assert_eq!(cancel(tx, DeliveryId(first), at(20))?, Ok(()));
        check_lanes(tx);
        assert_eq!(number(tx, "SELECT next_at FROM lanes"), at(20).as_microsecond());
        assert_eq!(
            number(tx, "SELECT until FROM delivery_waits"),
            at(20).as_microsecond()
        );
        assert_eq!(cancel(tx, DeliveryId(second), at(21))?, Ok(()));
        check_lanes(tx);
        assert_eq!(
            number(
                tx,
                "SELECT count(*) FROM lanes WHERE next_at IS NULL AND backlog = 0"
            ),
            1
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn dead_and_unknown_ones_are_owed_again_once() {
    let database = database();
    let ids = one_of_each(&database).await;
    let got = outcomes(&database, &ids, |tx, id| retry(tx, id, false, at(50_000))).await;
    assert_eq!(got, refused_but(&[DeliveryState::Dead, DeliveryState::Unknown]));
    let (dead, unknown) = (ids[6], ids[11]);
    write(&database, move |tx| {
        let rows = tx.all(
            "SELECT retry_of, repeat_possible, expires_at, state, activity FROM deliveries
             WHERE retry_of IS NOT NULL ORDER BY id",
            &[],
            |row| {
                assert!(row.text(4)?.contains("of 10"));
                Ok((
                    row.get::<i64>(0)?,
                    row.get::<bool>(1)?,
                    row::time(row, 2)?,
                    row::state(row, 3)?,
                ))
            },
        )?;
        let end = at(50_000 + 72 * 3_600);
        assert_eq!(
            rows,
            [
                (dead, false, end, DeliveryState::Available),
                (unknown, true, end, DeliveryState::Available)
            ]
        );
        // Asked again while it waits: the same. After it has died: another. After it arrived: no more.
        let again = |now| retry(tx, DeliveryId(dead), false, now);
        let first = again(at(50_001))?.unwrap();
        assert_eq!(
            number(tx, "SELECT count(*) FROM deliveries WHERE retry_of IS NOT NULL"),
            2
        );
        let end = |id: DeliveryId, state: &str| {
            tx.execute(
                "UPDATE deliveries SET state = ?2, ended_at = 1 WHERE id = ?1",
                params![id.0, state],
            )?;
            tx.execute(
                "UPDATE lanes SET backlog = backlog - 1 WHERE conversation_id = 'a'",
                &[],
            )
        };
        end(first, "dead")?;
        let second = again(at(50_002))?.unwrap();
        assert!(second > first);
        end(second, "delivered")?;
        assert_eq!(again(at(50_003))?, Err(NotDone::Delivered(second)));
        check_lanes(tx);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_retry_lives_an_hour_at_least() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let id = delivery(tx, lane, "message", DeliveryState::Dead, 10);
        set(tx, id, "expires_at", at(70).as_microsecond());
        let new = retry(tx, DeliveryId(id), false, at(1_000))?.unwrap();
        let expires: i64 = tx
            .first(
                "SELECT expires_at FROM deliveries WHERE id = ?1",
                params![new.0],
                |row| row.get(0),
            )?
            .unwrap();
        assert_eq!(expires, at(1_000 + 3_600).as_microsecond());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_lane_takes_a_retry_only_when_it_is_reopened() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let id = DeliveryId(delivery(tx, lane, "message", DeliveryState::Dead, 10));
        let close = || {
            tx.execute("UPDATE lanes SET closed_reason = 'blocked'", &[])?;
            tx.execute("UPDATE lane_addresses SET closed_at = 1, evidence = '{}'", &[])
        };
        close()?;
        assert_eq!(
            retry(tx, id, false, at(20))?,
            Err(NotDone::Closed("blocked".to_owned()))
        );
        assert_eq!(number(tx, "SELECT count(*) FROM deliveries"), 1);
        assert!(retry(tx, id, true, at(20))?.is_ok());
        check_lanes(tx);
        assert_eq!(number(tx, "SELECT next_at FROM lanes"), at(20).as_microsecond());
        let open = "SELECT count(*) FROM lane_addresses WHERE closed_at IS NULL AND evidence IS NULL";
        assert_eq!(number(tx, open), 1);
        close()?;
        tx.execute("UPDATE lanes SET next_at = NULL", &[])?;
        // Somebody speaks there again.
        crate::ledger::make_known(tx, "msteams", "a", "{}", None)?;
        let open = "SELECT count(*) FROM lanes WHERE closed_reason IS NULL";
        assert_eq!(number(tx, open), 1);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_held_steps_aside_and_comes_back_to_its_place() {
    let database = database();
    let ids = one_of_each(&database).await;
    let got = outcomes(&database, &ids, |tx, id| hold(tx, id, "busy", None, at(20))).await;
    let waiting = [DeliveryState::Available, DeliveryState::Retryable];
    assert_eq!(got, refused_but(&waiting));
    write(&database, |tx| {
        assert_eq!(
            number(tx, "SELECT count(*) FROM lanes WHERE next_at IS NOT NULL"),
            0
        );
        assert_eq!(
            number(
                tx,
                "SELECT count(*) FROM delivery_waits WHERE reason = 'held' AND until IS NULL"
            ),
            2
        );
        Ok(())
    })
    .await;
    let got = outcomes(&database, &ids, |tx, id| release(tx, id, at(30))).await;
    for (state, not_done) in ALL.iter().zip(got) {
        let held = waiting.contains(state) || *state == DeliveryState::Held;
        assert_eq!(not_done.is_none(), held, "{state}");
    }
    write(&database, |tx| {
        assert_eq!(
            number(tx, "SELECT next_at FROM lanes WHERE id = 1"),
            at(30).as_microsecond()
        );
        assert_eq!(
            number(tx, "SELECT count(*) FROM delivery_waits WHERE until IS NULL"),
            0
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_paused_lane_goes_on_when_it_is_resumed() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let head = delivery(tx, lane, "message", DeliveryState::Available, 1);
        delivery(tx, lane, "message", DeliveryState::Available, 2);
        for _ in 0..2 {
            assert_eq!(pause_lane(tx, lane)?, Ok(()));
            check_lanes(tx);
        }
        put_off(tx, lane, head, 10);
        check_lanes(tx);
        for second in [20, 21] {
            assert_eq!(resume_lane(tx, lane, at(second))?, Ok(()));
            check_lanes(tx);
        }
        assert_eq!(number(tx, "SELECT next_at FROM lanes"), at(20).as_microsecond());
        assert_eq!(number(tx, "SELECT count(*) FROM delivery_waits"), 1);
        assert_eq!(
            number(tx, "SELECT until FROM delivery_waits"),
            at(20).as_microsecond()
        );
        assert_eq!(pause_lane(tx, 99)?, Err(NotDone::Unknown));
        assert_eq!(resume_lane(tx, 99, at(1))?, Err(NotDone::Unknown));
        Ok(())
    })
    .await;
}

/// It was empty when it was paused, so no claim has met it.
#[tokio::test]
async fn what_came_into_a_paused_lane_has_its_wait_on_record_too() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        assert_eq!(pause_lane(tx, lane)?, Ok(()));
        delivery(tx, lane, "message", DeliveryState::Available, 10);
        tx.execute("UPDATE lanes SET next_at = NULL", &[])?;
        assert_eq!(resume_lane(tx, lane, at(20))?, Ok(()));
        check_lanes(tx);
        assert_eq!(number(tx, "SELECT next_at FROM lanes"), at(20).as_microsecond());
        assert_eq!(
            number(tx, "SELECT since FROM delivery_waits"),
            at(10).as_microsecond()
        );
        assert_eq!(
            number(tx, "SELECT until FROM delivery_waits"),
            at(20).as_microsecond()
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_becomes_the_next_during_a_pause_waits_for_its_end() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let first = delivery(tx, lane, "message", DeliveryState::Available, 1);
        let second = delivery(tx, lane, "message", DeliveryState::Available, 2);
        assert_eq!(pause_lane(tx, lane)?, Ok(()));
        put_off(tx, lane, first, 10);
        assert_eq!(cancel(tx, DeliveryId(first), at(15))?, Ok(()));
        assert_eq!(resume_lane(tx, lane, at(20))?, Ok(()));
        check_lanes(tx);
        let waits = tx.all(
            "SELECT delivery_id, since, until FROM delivery_waits ORDER BY since",
            &[],
            |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?, row.get::<i64>(2)?)),
        )?;
        let micros = |second| at(second).as_microsecond();
        assert_eq!(
            waits,
            [(first, micros(10), micros(15)), (second, micros(15), micros(20))]
        );
        Ok(())
    })
    .await;
}

/// What paces a lane is not forgotten over a pause.
#[tokio::test]
async fn a_lane_that_has_to_wait_anyway_goes_on_no_earlier() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        delivery(tx, lane, "message", DeliveryState::Available, 10);
        tx.execute("UPDATE lanes SET next_at = ?1", params![at(500).as_microsecond()])?;
        assert_eq!(pause_lane(tx, lane)?, Ok(()));
        assert_eq!(resume_lane(tx, lane, at(20))?, Ok(()));
        assert_eq!(number(tx, "SELECT next_at FROM lanes"), at(500).as_microsecond());
        Ok(())
    })
    .await;
}

/// More lanes than one transaction wakes, in two channels; one of them is paused by itself.
#[tokio::test]
async fn the_lanes_of_a_channel_are_woken_and_no_others() {
    let database = database();
    write(&database, |tx| {
        for number in 0..1_201 {
            let lane = lane(tx, "msteams", &number.to_string());
            let head = delivery(tx, lane, "message", DeliveryState::Available, 5);
            put_off(tx, lane, head, 50);
            if number == 7 {
                assert_eq!(pause_lane(tx, lane)?, Ok(()));
            }
        }
        let other = lane(tx, "sms", "a");
        let head = delivery(tx, other, "message", DeliveryState::Available, 5);
        put_off(tx, other, head, 50);
        pause(tx, Some("msteams"), at(50))?;
        pause(tx, Some("msteams"), at(55))?;
        pause(tx, Some("sms"), at(50))?;
        resume(tx, Some("msteams"))
    })
    .await;
    let (mut after, mut rounds) = (0, 0);
    loop {
        let next = write(&database, move |tx| wake(tx, after, at(100))).await;
        rounds += 1;
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(rounds, 3);
    write(&database, |tx| {
        let told = format!(
            "SELECT count(*) FROM delivery_waits JOIN deliveries ON deliveries.id = delivery_id
             JOIN lanes ON lanes.id = lane_id WHERE next_at = {0} AND since = {1} AND until = {0}",
            at(100).as_microsecond(),
            at(50).as_microsecond()
        );
        assert_eq!(number(tx, &told), 1_200);
        assert_eq!(
            number(tx, "SELECT count(*) FROM lanes WHERE wait_reason = 'paused'"),
            2
        );
        // The others, once nothing stops them.
        assert_eq!(resume_lane(tx, 8, at(110))?, Ok(()));
        resume(tx, Some("sms"))?;
        assert_eq!(wake(tx, 0, at(110))?, None);
        check_lanes(tx);
        assert_eq!(
            number(tx, "SELECT count(*) FROM lanes WHERE wait_reason = 'paused'"),
            0
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_lane_that_two_pauses_stop_waits_for_both() {
    let database = database();
    write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let head = delivery(tx, lane, "message", DeliveryState::Available, 5);
        pause(tx, Some("msteams"), at(50))?;
        pause(tx, None, at(60))?;
        put_off(tx, lane, head, 60);
        let woken = "SELECT count(*) FROM lanes WHERE wait_reason IS NULL";
        resume(tx, None)?;
        wake(tx, 0, at(70))?;
        assert_eq!(number(tx, woken), 0);
        resume(tx, Some("msteams"))?;
        wake(tx, 0, at(80))?;
        assert_eq!(number(tx, woken), 1);
        Ok(())
    })
    .await;
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Cancel(i64),
    Retry(i64, bool),
    Hold(i64),
    Release(i64),
    PauseLane(i64),
    ResumeLane(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let id = 1..40_i64;
    prop_oneof![
        id.clone().prop_map(Act::Cancel),
        (id.clone(), any::<bool>()).prop_map(|(id, reopen)| Act::Retry(id, reopen)),
        id.clone().prop_map(Act::Hold),
        id.prop_map(Act::Release),
        (1..4_i64).prop_map(Act::PauseLane),
        (1..4_i64).prop_map(Act::ResumeLane),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever operators do in whatever order, no lane is lost and none runs that may not.
    #[test]
    fn lanes_stay_in_order(acts in prop::collection::vec(act(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let database = database();
            write(&database, move |tx| {
                for conversation in ["a", "b", "c"] {
                    let lane = lane(tx, "msteams", conversation);
                    for (second, state) in (0..).zip(ALL) {
                        if state != DeliveryState::Sending || conversation == "b" {
                            delivery(tx, lane, if second % 2 == 0 { "message" } else { "job" }, state, second);
                        }
                    }
                }
                tx.execute("UPDATE lanes SET closed_reason = 'gone', next_at = NULL WHERE conversation_id = 'c'", &[])?;
                check_lanes(tx);
                for (second, act) in (100..).zip(acts) {
                    let now = at(second);
                    match act {
                        Act::Cancel(id) => drop(cancel(tx, DeliveryId(id), now)?),
                        Act::Retry(id, reopen) => drop(retry(tx, DeliveryId(id), reopen, now)?),
                        Act::Hold(id) => drop(hold(tx, DeliveryId(id), "busy", None, now)?),
                        Act::Release(id) => drop(release(tx, DeliveryId(id), now)?),
                        Act::PauseLane(lane) => drop(pause_lane(tx, lane)?),
                        Act::ResumeLane(lane) => drop(resume_lane(tx, lane, now)?),
                    }
                    check_lanes(tx);
                }
                Ok(())
            })
            .await;
        });
    }
}
