//! A clock that is moved by five minutes while the engine runs.

use std::time::Duration;

use jiff::SignedDuration;
use tidings_proactive::DeliveryState;

use crate::desk::{Desk, status, unreachable};

const MOVED: SignedDuration = SignedDuration::from_mins(5);

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// Sets limits of one call a minute, for a conversation and for a tenant.
async fn slow_down(desk: &Desk) {
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits)
         VALUES ('test', 'lane', 60000, 1), ('test', 'tenant', 60000, 10)",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn forward_what_had_a_time_has_reached_it() {
    let desk = Desk::new();
    slow_down(&desk).await;
    let running = desk.run();
    desk.until_it_runs().await;
    let start = desk.now();
    let within = desk
        .owe("within", "within")
        .not_before(start + minutes(4))
        .commit()
        .await
        .unwrap();
    let beyond = desk
        .owe("beyond", "beyond")
        .not_before(start + minutes(6))
        .commit()
        .await
        .unwrap();
    let expiring = desk.owe("expiring", "expiring").not_before(start + minutes(2));
    let expiring = expiring.expires_at(start + minutes(4)).commit().await.unwrap();
    let retried = desk.enqueue("retried", "retried").await;
    desk.call()
        .await
        .fail(unreachable().with_retry_after(Duration::from_secs(240)));
    desk.until(retried, DeliveryState::Retryable).await;
    let asked = desk.enqueue("asked", "asked").await;
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(240)));
    desk.until(asked, DeliveryState::Retryable).await;
    let paced = desk.enqueue("somebody", "paced").await;
    desk.until_waits("somebody", "pacing").await;
    desk.nothing_happens().await;

    desk.clock.advance(MOVED);
    let mut came = Vec::new();
    for _ in 0..4 {
        let call = desk.call().await;
        came.push(call.delivery);
        let id = call.delivery;
        call.deliver();
        desk.until(id, DeliveryState::Delivered).await;
    }
    came.sort_unstable();
    assert_eq!(came, [within, retried, asked, paced]);
    desk.until(expiring, DeliveryState::Expired).await;
    desk.nothing_happens().await;
    assert_eq!(desk.delivery(beyond).await.state, DeliveryState::Scheduled);
    // Beyond its time, and beyond the minute that the tenant's budget counts.
    desk.clock.advance(minutes(2));
    desk.deliver("beyond").await;
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn back_what_has_a_time_keeps_it_and_nothing_expires_early() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let start = desk.now();
    let later = desk
        .owe("later", "later")
        .not_before(start + minutes(1))
        .commit()
        .await
        .unwrap();
    let short = desk.owe("short", "short").not_before(start + minutes(1));
    let short = short.expires_at(start + minutes(2)).commit().await.unwrap();
    let under_way = desk.enqueue("under way", "under way").await;
    let call = desk.call().await;

    desk.clock.advance(-MOVED);
    call.deliver();
    let delivered = desk.until(under_way, DeliveryState::Delivered).await;
    assert!(!delivered.repeat_possible);
    // What comes now is sent now, whatever the clock said before.
    desk.enqueue("somebody", "now").await;
    desk.deliver("now").await;
    desk.clock.advance(minutes(5));
    desk.nothing_happens().await;
    for waiting in [later, short] {
        assert_eq!(desk.delivery(waiting).await.state, DeliveryState::Scheduled);
    }
    desk.clock.advance(minutes(1));
    let mut came = Vec::new();
    for _ in 0..2 {
        let call = desk.call().await;
        came.push(call.delivery);
        call.deliver();
    }
    came.sort_unstable();
    assert_eq!(came, [later, short]);
    for id in came {
        desk.until(id, DeliveryState::Delivered).await;
    }
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn forward_and_back_again_is_as_if_nothing_was() {
    let desk = Desk::new();
    slow_down(&desk).await;
    let running = desk.run();
    desk.until_it_runs().await;
    let start = desk.now();
    let scheduled = desk
        .owe("scheduled", "scheduled")
        .not_before(start + minutes(10))
        .commit()
        .await
        .unwrap();
    desk.enqueue("busy", "one").await;
    let call = desk.call().await;
    desk.enqueue("busy", "two").await;
    desk.clock.advance(MOVED);
    // A look at the wrong time, in which a call ends.
    desk.until_it_looked().await;
    let one = call.delivery;
    call.deliver();
    desk.until(one, DeliveryState::Delivered).await;
    desk.until_waits("busy", "pacing").await;
    desk.clock.advance(-MOVED);
    // The call of a time that has not come counts as one of now, so the next comes within a minute or so.
    let time_passes = async {
        loop {
            desk.clock.advance(SignedDuration::from_secs(5));
            desk.until_it_looked().await;
        }
    };
    let call = tokio::select! {
        call = desk.call() => call,
        () = time_passes => unreachable!("time does not end"),
    };
    assert_eq!(call.text(), "two");
    assert!(desk.now().duration_since(start) <= SignedDuration::from_secs(75));
    let two = call.delivery;
    call.deliver();
    desk.until(two, DeliveryState::Delivered).await;
    assert_eq!(desk.delivery(scheduled).await.state, DeliveryState::Scheduled);
    desk.clock.set(start + minutes(10));
    desk.deliver("scheduled").await;
    running.stop().await;
    desk.check().await;
}
