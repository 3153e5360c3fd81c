//! When something is sent: not before its time, not after it, and in its class.

use std::time::Duration;

use jiff::SignedDuration;
use tidings_proactive::{DeliveryState, ProactiveError};

use crate::desk::{Desk, options, place, unreachable};

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Looks only when it is told or when something has its time.
fn never_polls() -> Desk {
    let mut options = options(4);
    options.poll_every = Duration::from_secs(u64::from(u32::MAX));
    options.lease = Duration::from_secs(u64::from(u32::MAX));
    Desk::on(place(), options)
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_delivery_is_sent_at_its_time_and_not_before() {
    let desk = never_polls();
    let running = desk.run();
    desk.until_it_runs().await;
    let at = desk.now() + seconds(3_600);
    let later = desk.owe("alice", "later").not_before(at).accept().await.unwrap();
    assert_eq!(later.state, DeliveryState::Scheduled);
    assert_eq!(desk.delivery(later.id).await.due_at, Some(at));
    desk.enqueue("alice", "now").await;
    desk.deliver("now").await;
    desk.clock.set(at - SignedDuration::from_micros(1));
    desk.nothing_happens().await;
    desk.clock.set(at);
    desk.deliver("later").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_that_has_passed_is_now() {
    let desk = Desk::new();
    let running = desk.run();
    let delivery = desk.owe("alice", "x").not_before(desk.now());
    assert_ne!(delivery.accept().await.unwrap().state, DeliveryState::Scheduled);
    desk.deliver("x").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_comes_at_its_time_whenever_the_next_poll_is() {
    let desk = never_polls();
    let running = desk.run();
    desk.until_it_runs().await;
    let id = desk.enqueue("alice", "x").await;
    for wait in [1, 2, 4] {
        desk.call().await.fail(unreachable());
        let delivery = desk.until(id, DeliveryState::Retryable).await;
        assert_eq!(delivery.due_at, Some(desk.now() + seconds(wait)));
        desk.clock.advance(seconds(wait));
    }
    desk.deliver("x").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_scheduled_before_the_start_is_sent_after_it() {
    let desk = never_polls();
    let at = desk.now() + seconds(60);
    desk.owe("alice", "later").not_before(at).commit().await.unwrap();
    let running = desk.run();
    desk.nothing_happens().await;
    desk.clock.set(at);
    desk.deliver("later").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_expires_before_it_may_be_sent_is_refused() {
    let desk = Desk::new();
    let now = desk.now();
    let due = now + seconds(10);
    let cases = [
        (desk.owe("alice", "x").expires_at(now), now),
        (desk.owe("alice", "x").not_before(due).expires_at(due), due),
        (desk.owe("alice", "x").expires_at(now - seconds(5)), now),
    ];
    for (delivery, earliest) in cases {
        let error = delivery.commit().await.unwrap_err();
        assert!(
            matches!(error, ProactiveError::ExpiresBeforeDue { due_at, .. } if due_at == earliest),
            "{error}"
        );
    }
    assert!(desk.ledger().await.is_empty());
    let barely = due + SignedDuration::from_micros(1);
    let delivery = desk.owe("alice", "x").not_before(due).expires_at(barely);
    assert!(delivery.commit().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_schedule_counts_into_the_life_of_a_delivery() {
    let desk = Desk::new();
    let due = desk.now() + seconds(1_000_000);
    let id = desk.owe("alice", "x").not_before(due).commit().await.unwrap();
    assert_eq!(
        desk.delivery(id).await.expires_at,
        due + SignedDuration::from_hours(72)
    );
}

#[tokio::test(start_paused = true)]
async fn what_expires_while_its_conversation_is_paused_is_not_sent_afterwards() {
    let desk = Desk::new();
    let running = desk.run();
    desk.enqueue("alice", "hello").await;
    desk.deliver("hello").await;
    desk.execute("UPDATE lanes SET paused = TRUE").await;
    let expires = desk.now() + seconds(60);
    let short = desk
        .owe("alice", "short")
        .expires_at(expires)
        .commit()
        .await
        .unwrap();
    let long = desk.enqueue("alice", "long").await;
    desk.until_waits("alice", "paused").await;
    desk.nothing_happens().await;
    assert_eq!(
        desk.texts("SELECT reason FROM delivery_waits").await,
        ["paused".to_owned()]
    );
    // A claim that read the clock before it was set would find the conversation open and the message in time.
    running.stop().await;
    desk.clock.set(expires);
    desk.execute(
        "UPDATE lanes SET paused = FALSE, next_at = 0, wait_reason = NULL WHERE wait_reason = 'paused'",
    )
    .await;
    let running = desk.run();
    desk.deliver("long").await;
    assert_eq!(desk.delivery(short).await.state, DeliveryState::Expired);
    assert_eq!(desk.delivery(long).await.starts, 1);
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_expires_while_it_waits_to_be_tried_again_ends_at_its_time() {
    let desk = never_polls();
    let running = desk.run();
    desk.until_it_runs().await;
    let expires = desk.now() + seconds(10);
    let id = desk.owe("alice", "x").expires_at(expires).commit().await.unwrap();
    desk.call()
        .await
        .fail(unreachable().with_retry_after(Duration::from_secs(60)));
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.set(expires);
    desk.until(id, DeliveryState::Expired).await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_retrying_head_blocks_only_its_class() {
    let desk = Desk::new();
    let running = desk.run();
    let head = desk.owe("alice", "a1").class("a").commit().await.unwrap();
    desk.call().await.fail(unreachable());
    desk.until(head, DeliveryState::Retryable).await;
    desk.owe("alice", "a2").class("a").commit().await.unwrap();
    desk.owe("alice", "b1").class("b").commit().await.unwrap();
    desk.owe("alice", "c1").class("c").commit().await.unwrap();
    desk.owe("alice", "b2").class("b").commit().await.unwrap();
    for expected in ["b1", "c1", "b2"] {
        desk.deliver(expected).await;
    }
    desk.nothing_happens().await;
    desk.clock.advance(seconds(1));
    desk.deliver("a1").await;
    desk.deliver("a2").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn classes_of_a_conversation_are_served_as_they_came() {
    let desk = Desk::new();
    let texts = ["z", "a", "z", "m", "a"];
    for (n, class) in texts.iter().enumerate() {
        let delivery = desk.owe("alice", &format!("{n}{class}")).class(*class);
        delivery.commit().await.unwrap();
    }
    let running = desk.run();
    for (n, class) in texts.iter().enumerate() {
        desk.deliver(&format!("{n}{class}")).await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn however_many_classes_are_blocked_another_goes_on() {
    let desk = Desk::on(place(), options(1));
    let running = desk.run();
    for n in 0..40 {
        let class = format!("{n:02}");
        let id = desk.owe("alice", &class).class(&class).commit().await.unwrap();
        // The host is not at fault: it answers.
        desk.call()
            .await
            .fail(crate::desk::status(401).with_retry_after(Duration::from_secs(60)));
        desk.until(id, DeliveryState::Retryable).await;
    }
    desk.owe("alice", "last").class("zz").commit().await.unwrap();
    desk.deliver("last").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_scheduled_for_a_closed_conversation_is_refused() {
    let desk = Desk::new();
    let running = desk.run();
    desk.enqueue("alice", "x").await;
    desk.call().await.fail(crate::desk::status(403));
    let at = desk.now() + seconds(60);
    // Before the lane is closed or after it.
    let later = desk.owe("alice", "later").not_before(at).commit().await.unwrap();
    desk.until(later, DeliveryState::Refused).await;
    let after = desk.owe("alice", "after").not_before(at).accept().await.unwrap();
    assert_eq!(after.state, DeliveryState::Refused);
    desk.check().await;
    running.stop().await;
}
