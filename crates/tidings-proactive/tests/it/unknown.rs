//! Attempts of which nobody knows whether they arrived, and what is on record of attempts.

use std::time::Duration;

use jiff::SignedDuration;
use tidings_connector::{Phase, SendError};
use tidings_proactive::{DeliveryId, DeliveryState, UnknownPolicy};

use crate::desk::{Desk, options, place, status, unreachable};

fn timed_out() -> SendError {
    SendError::new(Phase::AfterBody, "timed out")
}

/// How long a delivery waits that was lost twice, in seconds.
const SUSPECT_WAITS: i64 = 10;

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

async fn owe(desk: &Desk, policy: UnknownPolicy) -> DeliveryId {
    desk.owe("alice", "x").policy(policy).commit().await.unwrap()
}

const ATTEMPTS: &str =
    "SELECT start || ' ' || outcome || ' ' || coalesce(CAST(status AS TEXT), '-') || ' ' || coalesce(code, '-')
                               || ' ' || coalesce(CAST(retry_after_ms AS TEXT), '-')
                        FROM attempts ORDER BY delivery_id, start";

#[tokio::test(start_paused = true)]
async fn at_most_once_is_not_sent_again_when_nobody_knows() {
    for error in [timed_out(), status(500), status(412), status(408)] {
        let desk = Desk::new();
        let running = desk.run();
        let id = owe(&desk, UnknownPolicy::AtMostOnce).await;
        desk.enqueue("alice", "behind").await;
        desk.call().await.fail(error);
        let delivery = desk.until(id, DeliveryState::Unknown).await;
        assert_eq!((delivery.starts, delivery.reason), (1, None));
        desk.deliver("behind").await;
        desk.clock.advance(SignedDuration::from_hours(1));
        desk.nothing_happens().await;
        desk.check().await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn at_most_once_is_sent_again_when_it_provably_did_not_leave() {
    let desk = Desk::new();
    let running = desk.run();
    let id = owe(&desk, UnknownPolicy::AtMostOnce).await;
    desk.call().await.fail(unreachable());
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(1));
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(2)));
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(2));
    desk.deliver("x").await;
    assert!(!desk.delivery(id).await.repeat_possible);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_most_once_is_not_sent_again_after_a_panic_or_a_crash() {
    let desk = Desk::new();
    let running = desk.run();
    let panicked = owe(&desk, UnknownPolicy::AtMostOnce).await;
    desk.call().await.panic();
    desk.until(panicked, DeliveryState::Unknown).await;
    let crashed = owe(&desk, UnknownPolicy::AtMostOnce).await;
    let call = desk.call().await;
    running.abort().await;
    let running = desk.run();
    desk.until(crashed, DeliveryState::Unknown).await;
    drop(call);
    desk.enqueue("alice", "behind").await;
    desk.deliver("behind").await;
    desk.nothing_happens().await;
    assert_eq!(desk.texts(ATTEMPTS).await, ["1 lost - - -", "1 lost - - -"]);
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_recognises_repeats_is_told_the_delivery_and_shows_it_once() {
    let mut desk = Desk::new();
    desk.reconciles = true;
    let running = desk.run();
    desk.until_it_runs().await;
    let id = owe(&desk, UnknownPolicy::Reconcile).await;
    let call = desk.call().await;
    assert_eq!((call.delivery, call.reconcile), (id, true));
    call.fail(timed_out());
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(1));
    let call = desk.call().await;
    assert_eq!((call.delivery, call.reconcile), (id, true));
    call.panic();
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(2));
    let call = desk.call().await;
    running.abort().await;
    let running = desk.run();
    desk.until_start(id, 3, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(SUSPECT_WAITS));
    desk.deliver("x").await;
    drop(call);
    let delivery = desk.delivery(id).await;
    assert_eq!((delivery.starts, delivery.repeat_possible), (4, false));
    desk.enqueue("alice", "plain").await;
    let call = desk.call().await;
    assert!(!call.reconcile);
    call.deliver();
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_ends_its_process_each_time_is_poison_at_the_third_start() {
    let desk = Desk::new();
    let poison = desk.enqueue("alice", "poison").await;
    desk.enqueue("alice", "behind").await;
    let mut calls = Vec::new();
    for start in 1..=3 {
        let mut running = desk.run();
        if start == 3 {
            desk.until_start(poison, 2, DeliveryState::Retryable).await;
            // A restart ends other waits, not this one.
            running.abort().await;
            running = desk.run();
            desk.clock
                .advance(seconds(SUSPECT_WAITS) - SignedDuration::from_millis(1));
            desk.until_it_looked().await;
            assert!(
                desk.nothing_is_on_its_way().await,
                "it waits, and keeps its place"
            );
            desk.clock.advance(SignedDuration::from_millis(1));
        }
        let call = desk.call().await;
        assert_eq!(call.text(), "poison");
        calls.push(call);
        running.abort().await;
    }
    let running = desk.run();
    desk.deliver("behind").await;
    let delivery = desk.delivery(poison).await;
    assert_eq!(
        (delivery.state, delivery.reason.as_deref(), delivery.starts),
        (DeliveryState::Dead, Some("poison"), 3)
    );
    assert_eq!(
        desk.texts(ATTEMPTS).await,
        ["1 lost - - -", "2 lost - - -", "3 lost - - -"]
    );
    desk.check().await;
    running.stop().await;
}

/// What the next process does with 64 deliveries that were on their way when others died: it tries them, and dies as well
/// whenever it sends `deadly`. True when all have ended.
async fn next_life(desk: &Desk, deadly: DeliveryId) -> bool {
    let running = desk.run();
    loop {
        let open = "SELECT 'open' FROM deliveries WHERE ended_at IS NULL";
        if desk.texts(open).await.is_empty() {
            running.stop().await;
            return true;
        }
        tokio::select! {
            call = desk.call() => {
                assert!(desk.nothing_is_on_its_way().await, "it is sent alone");
                if call.delivery == deadly {
                    running.abort().await;
                    return false;
                }
                let id = call.delivery;
                call.deliver();
                desk.until(id, DeliveryState::Delivered).await;
            }
            // Nobody waits for a call: the clock goes on.
            () = tokio::time::sleep(Duration::from_millis(100)) => desk.clock.advance(SignedDuration::from_millis(100)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_that_were_lost_together_only_the_one_that_ends_its_process_is_poison() {
    let desk = Desk::in_step(options(64));
    let mut ids = Vec::new();
    for n in 0..64 {
        ids.push(desk.enqueue(&format!("c{n}"), "x").await);
    }
    let deadly = ids[40];
    // Twice all of them are under way when the process dies.
    for _ in 0..2 {
        let running = desk.run();
        let mut calls = Vec::new();
        for _ in 0..64 {
            calls.push(desk.call().await);
        }
        running.abort().await;
    }
    assert!(!next_life(&desk, deadly).await);
    assert!(next_life(&desk, deadly).await);
    for id in ids {
        let delivery = desk.delivery(id).await;
        let expected = match id == deadly {
            true => (DeliveryState::Dead, Some("poison")),
            false => (DeliveryState::Delivered, None),
        };
        assert_eq!((delivery.state, delivery.reason.as_deref()), expected);
        assert_eq!(delivery.starts, 3);
    }
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_waits_for_another_keeps_its_own_class_waiting_and_no_other() {
    let desk = Desk::in_step(options(4));
    let [alice, bob] = [desk.enqueue("alice", "x").await, desk.enqueue("bob", "x").await];
    for _ in 0..2 {
        let running = desk.run();
        let calls = [desk.call().await, desk.call().await];
        running.abort().await;
        drop(calls);
    }
    let running = desk.run();
    desk.until_start(bob, 2, DeliveryState::Retryable).await;
    desk.enqueue("bob", "behind").await;
    desk.clock.advance(seconds(SUSPECT_WAITS));
    let tried = desk.call().await;
    assert_eq!(tried.delivery, alice);
    desk.until_it_looked().await;
    assert!(desk.nothing_is_on_its_way().await);
    desk.owe("bob", "of another class")
        .class("alert")
        .commit()
        .await
        .unwrap();
    desk.deliver("of another class").await;
    // What was never lost goes beside it.
    desk.enqueue("carol", "beside").await;
    desk.deliver("beside").await;
    tried.deliver();
    desk.until(alice, DeliveryState::Delivered).await;
    desk.clock.advance(seconds(1));
    desk.deliver("x").await;
    desk.deliver("behind").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_expires_while_it_waits_is_not_tried_again() {
    let desk = Desk::in_step(options(4));
    let soon = desk.now().checked_add(seconds(SUSPECT_WAITS)).unwrap();
    let id = desk.owe("alice", "x").expires_at(soon).commit().await.unwrap();
    for _ in 0..2 {
        let running = desk.run();
        let call = desk.call().await;
        running.abort().await;
        drop(call);
    }
    let running = desk.run();
    desk.until_start(id, 2, DeliveryState::Retryable).await;
    desk.clock.advance(seconds(SUSPECT_WAITS));
    desk.until(id, DeliveryState::Expired).await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failures_do_not_count_as_lost_starts() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    for wait in [1, 2, 4] {
        desk.call().await.fail(unreachable());
        desk.until(id, DeliveryState::Retryable).await;
        desk.clock.advance(seconds(wait));
    }
    for wait in [8, 16] {
        desk.call().await.panic();
        desk.until(id, DeliveryState::Retryable).await;
        desk.clock.advance(seconds(wait));
    }
    desk.call().await.panic();
    let delivery = desk.until(id, DeliveryState::Dead).await;
    assert_eq!((delivery.reason.as_deref(), delivery.starts), (Some("poison"), 6));
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_failed_attempt_and_every_wait_is_on_record() {
    let desk = Desk::on(place(), options(1));
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    let failures = [
        (unreachable(), 1),
        (status(503), 2),
        (status(429).with_retry_after(Duration::from_secs(30)), 30),
        (status(401), 8),
    ];
    for (error, wait) in failures {
        desk.call().await.fail(error);
        desk.until(id, DeliveryState::Retryable).await;
        desk.clock.advance(seconds(wait));
    }
    desk.call().await.fail(status(400));
    desk.until(id, DeliveryState::Dead).await;
    assert_eq!(
        desk.texts(ATTEMPTS).await,
        [
            "1 not_sent - - -",
            "2 unknown 503 Code -",
            "3 throttled 429 Code 30000",
            "4 unauthorized 401 Code -",
            "5 rejected 400 Code -"
        ]
    );
    // One after the other for the same reason is one.
    assert_eq!(
        desk.texts("SELECT reason || ' ' || ((until - since) / 1000000) FROM delivery_waits ORDER BY since")
            .await,
        ["backoff 3", "retry_after 30", "backoff 8"]
    );
    let of_one_node =
        "SELECT DISTINCT 'node ' || CASE WHEN node = (SELECT id FROM nodes) THEN 1 ELSE 0 END FROM attempts";
    assert_eq!(desk.texts(of_one_node).await, ["node 1"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_succeeds_at_once_leaves_no_attempts() {
    let desk = Desk::new();
    let running = desk.run();
    desk.enqueue("alice", "x").await;
    desk.deliver("x").await;
    assert!(desk.texts(ATTEMPTS).await.is_empty());
    running.stop().await;
}
