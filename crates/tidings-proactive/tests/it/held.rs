//! What an operator holds back.

use jiff::SignedDuration;
use tidings_proactive::{DeliveriesError, DeliveryState};

use crate::desk::{Desk, unreachable};

#[tokio::test(start_paused = true)]
async fn what_is_held_steps_aside_until_it_is_released() {
    let desk = Desk::new();
    let first = desk.enqueue("alice", "first").await;
    desk.enqueue("alice", "second").await;
    let held = desk.proactive.deliveries().hold(first, None).await.unwrap();
    assert_eq!(
        (held.state, held.reason.as_deref()),
        (DeliveryState::Held, Some("operator"))
    );
    let running = desk.run();
    desk.deliver("second").await;
    desk.nothing_happens().await;
    desk.check().await;
    let released = desk.proactive.deliveries().release(first).await.unwrap();
    assert_eq!(
        (released.state, released.reason),
        (DeliveryState::Available, None)
    );
    desk.deliver("first").await;
    let again = desk.proactive.deliveries().release(first).await.unwrap_err();
    assert!(matches!(again, DeliveriesError::WrongState { .. }), "{again}");
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_until_a_time_goes_by_itself_then() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let id = desk.enqueue("alice", "retried").await;
    desk.call().await.fail(unreachable());
    desk.until(id, DeliveryState::Retryable).await;
    let until = desk.now() + SignedDuration::from_mins(5);
    desk.proactive.deliveries().hold(id, Some(until)).await.unwrap();
    desk.clock.set(until - SignedDuration::from_millis(1));
    desk.nothing_happens().await;
    desk.clock.set(until);
    desk.deliver("retried").await;
    let delivery = desk.delivery(id).await;
    assert_eq!((delivery.starts, delivery.reason), (2, None));
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_expires_at_its_time() {
    for until in [None, Some(SignedDuration::from_hours(100))] {
        let desk = Desk::new();
        let id = desk.enqueue("alice", "held").await;
        let expiry = desk.delivery(id).await.expires_at;
        let until = until.map(|after| desk.now() + after);
        desk.proactive.deliveries().hold(id, until).await.unwrap();
        let running = desk.run();
        desk.clock.set(expiry - SignedDuration::from_millis(1));
        desk.nothing_happens().await;
        assert_eq!(desk.delivery(id).await.state, DeliveryState::Held);
        desk.clock.set(expiry);
        desk.until(id, DeliveryState::Expired).await;
        let detail = desk.proactive.deliveries().detail(id).await.unwrap().unwrap();
        assert!(
            detail.waits.iter().all(|wait| wait.until == Some(expiry)),
            "{:?}",
            detail.waits
        );
        running.stop().await;
        desk.check().await;
    }
}
