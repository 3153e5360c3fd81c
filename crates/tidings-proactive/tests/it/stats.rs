//! What the engine counts of what it does.

use tidings_proactive::{AttemptOutcome, DeliveryState, EngineStats, WaitReason};

use crate::desk::{Desk, status};

fn attempts(stats: &EngineStats, outcome: Option<AttemptOutcome>) -> u64 {
    let found = stats.attempts.iter().find(|(known, _)| *known == outcome);
    found.unwrap().1
}

fn ended(stats: &EngineStats, state: DeliveryState) -> u64 {
    stats.ended.iter().find(|(known, _)| *known == state).unwrap().1
}

fn waits(stats: &EngineStats, reason: WaitReason) -> u64 {
    stats.waits.iter().find(|(known, _)| *known == reason).unwrap().1
}

#[tokio::test]
async fn what_happened_is_counted_where_it_happened() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let rejected = desk.enqueue("rejects", "hello").await;
    desk.call().await.fail(status(400));
    desk.until(rejected, DeliveryState::Dead).await;
    let throttled = desk.enqueue("throttles", "hello").await;
    desk.call().await.fail(status(429));
    desk.until(throttled, DeliveryState::Retryable).await;
    let under_way = desk.enqueue("slow", "hello").await;
    let call = desk.call().await;

    let stats = desk.proactive.stats().await;
    assert_eq!((stats.accepted, stats.in_flight), (4, 1));
    assert!(stats.claims >= 4 && stats.cycles > 0, "{stats:?}");
    assert_eq!(attempts(&stats, None), 1);
    assert_eq!(attempts(&stats, Some(AttemptOutcome::Rejected)), 1);
    assert_eq!(attempts(&stats, Some(AttemptOutcome::Throttled)), 1);
    assert_eq!(ended(&stats, DeliveryState::Delivered), 1);
    assert_eq!(ended(&stats, DeliveryState::Dead), 1);
    assert_eq!(
        waits(&stats, WaitReason::Backoff) + waits(&stats, WaitReason::RetryAfter),
        1
    );
    assert_eq!((stats.lease_losses, stats.takeovers), (0, 0));
    assert_eq!(stats.breakers, []);
    let backlog = stats.backlog.unwrap();
    assert_eq!(
        (backlog.scheduled, backlog.available, backlog.retryable),
        (0, 0, 1)
    );
    assert!(backlog.oldest_retryable.is_some() && backlog.oldest_available.is_none());

    call.deliver();
    desk.until(under_way, DeliveryState::Delivered).await;
    running.stop().await;
    let stats = desk.proactive.stats().await;
    assert_eq!(stats.in_flight, 0);
    assert_eq!(ended(&stats, DeliveryState::Delivered), 2);
}

#[tokio::test]
async fn without_its_database_the_counts_are_still_there() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    running.stop().await;
    desk.db.close().await;
    let stats = desk.proactive.stats().await;
    assert_eq!(stats.backlog, None);
    assert_eq!((stats.accepted, attempts(&stats, None)), (1, 1));
}
