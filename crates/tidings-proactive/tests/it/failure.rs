//! Attempts that fail: what is sent again, when, and what is given up.

use std::time::Duration;

use jiff::SignedDuration;
use tidings_connector::{Phase, SendError};
use tidings_proactive::{Completion, DeliveryState};

use crate::desk::{Desk, options, place, reference, status, unreachable};

#[tokio::test(start_paused = true)]
async fn an_unreachable_channel_is_tried_with_growing_waits_until_it_recovers() {
    let desk = Desk::new();
    let running = desk.run();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    assert_eq!(
        desk.jobs.complete(job, "Done.").await.unwrap(),
        Completion::Completed
    );
    let id = desk.jobs.get(job).await.unwrap().unwrap().notice_id.unwrap();
    for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        desk.call().await.fail(unreachable());
        let delivery = desk.until(id, DeliveryState::Retryable).await;
        assert_eq!(
            delivery.due_at,
            Some(desk.now() + SignedDuration::from_secs(wait))
        );
        let failure = delivery.last_failure.unwrap();
        assert_eq!(
            (failure.status, failure.message.as_str()),
            (None, "connection refused")
        );
        desk.clock.advance(SignedDuration::from_secs(wait));
    }
    desk.call().await.deliver();
    let delivery = desk.until(id, DeliveryState::Delivered).await;
    assert_eq!((delivery.starts, delivery.repeat_possible), (12, false));
    assert_eq!(delivery.activity_id.as_deref(), Some("channel-id"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_channel_asks_for_is_honoured() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(90)));
    let delivery = desk.until(id, DeliveryState::Retryable).await;
    assert_eq!(delivery.due_at, Some(desk.now() + SignedDuration::from_secs(90)));
    assert_eq!(delivery.last_failure.unwrap().status, Some(429));
    desk.clock.advance(SignedDuration::from_secs(90));
    desk.call().await.deliver();
    assert!(!desk.until(id, DeliveryState::Delivered).await.repeat_possible);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_sent_again_and_says_that_it_may_repeat() {
    for error in [
        SendError::new(Phase::AfterBody, "timed out"),
        status(503),
        status(412),
    ] {
        let desk = Desk::new();
        let running = desk.run();
        let id = desk.enqueue("alice", "x").await;
        desk.call().await.fail(error);
        assert!(desk.until(id, DeliveryState::Retryable).await.repeat_possible);
        desk.clock.advance(SignedDuration::from_secs(1));
        // A later failure that repeats nothing does not take the note back.
        desk.call().await.fail(unreachable());
        desk.until(id, DeliveryState::Retryable).await;
        desk.clock.advance(SignedDuration::from_secs(2));
        desk.call().await.deliver();
        assert!(desk.until(id, DeliveryState::Delivered).await.repeat_possible);
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_repeating_would_not_help_is_dead_and_the_conversation_goes_on() {
    let cases = [
        (status(400), "rejected"),
        (status(405), "unsupported"),
        (status(413), "too_large"),
        (
            SendError::new(Phase::Refused, "the host is not allowed"),
            "host_refused",
        ),
    ];
    for (error, reason) in cases {
        let desk = Desk::new();
        let running = desk.run();
        let dead = desk.enqueue("alice", "dead").await;
        let next = desk.enqueue("alice", "next").await;
        let (code, message) = (error.code.clone(), error.to_string());
        desk.call().await.fail(error);
        let delivery = desk.until(dead, DeliveryState::Dead).await;
        assert_eq!(delivery.reason.as_deref(), Some(reason));
        let failure = delivery.last_failure.unwrap();
        assert_eq!((failure.code, failure.message), (code, message));
        let call = desk.call().await;
        assert_eq!(call.text(), "next");
        call.deliver();
        desk.until(next, DeliveryState::Delivered).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_is_gone_is_closed_and_what_waits_there_is_refused() {
    for gone in [403, 404] {
        let desk = Desk::new();
        let running = desk.run();
        let dead = desk.enqueue("alice", "dead").await;
        let waiting = desk.enqueue("alice", "waiting").await;
        desk.call()
            .await
            .fail(SendError::new(Phase::AfterBody, "gone").with_status(gone, None));
        let delivery = desk.until(dead, DeliveryState::Dead).await;
        assert_eq!(delivery.reason.as_deref(), Some("closed"));
        let refused = desk.until(waiting, DeliveryState::Refused).await;
        assert_eq!(refused.reason.as_deref(), Some("lane_closed"));
        let later = desk.enqueue("alice", "later").await;
        assert_eq!(desk.delivery(later).await.state, DeliveryState::Refused);
        let other = desk.enqueue("bob", "hello").await;
        desk.call().await.deliver();
        desk.until(other, DeliveryState::Delivered).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_2xx_answer_that_cannot_be_read_is_a_delivery() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    desk.call().await.fail(status(200));
    assert_eq!(desk.until(id, DeliveryState::Delivered).await.activity_id, None);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_expires_at_its_time_and_not_before() {
    let mut options = options(4);
    options.expires_after = Duration::from_secs(10);
    let desk = Desk::on(place(), options);
    let running = desk.run();
    let expiry = desk.now() + SignedDuration::from_secs(10);
    let head = desk.enqueue("alice", "head").await;
    desk.call()
        .await
        .fail(unreachable().with_retry_after(Duration::from_secs(3_600)));
    let delivery = desk.until(head, DeliveryState::Retryable).await;
    assert_eq!((delivery.due_at, delivery.expires_at), (Some(expiry), expiry));

    let behind = desk.enqueue("alice", "behind").await;
    desk.clock.set(expiry - SignedDuration::from_secs(1));
    let later = desk.enqueue("alice", "later").await;
    desk.clock.set(expiry);
    // Head and the one behind it are as old; the third is not.
    let call = desk.call().await;
    assert_eq!(call.text(), "later");
    call.deliver();
    desk.until(later, DeliveryState::Delivered).await;
    for expired in [head, behind] {
        assert_eq!(desk.delivery(expired).await.state, DeliveryState::Expired);
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_whose_sending_panics_is_poison_at_the_third_start() {
    let desk = Desk::new();
    let running = desk.run();
    let poison = desk.enqueue("alice", "poison").await;
    let next = desk.enqueue("alice", "next").await;
    for wait in [1, 2] {
        desk.call().await.panic();
        assert!(desk.until(poison, DeliveryState::Retryable).await.repeat_possible);
        desk.clock.advance(SignedDuration::from_secs(wait));
    }
    desk.call().await.panic();
    let delivery = desk.until(poison, DeliveryState::Dead).await;
    assert_eq!((delivery.reason.as_deref(), delivery.starts), (Some("poison"), 3));
    desk.call().await.deliver();
    desk.until(next, DeliveryState::Delivered).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_row_that_does_not_decode_is_dead_and_its_conversation_goes_on() {
    for column in ["reference", "activity"] {
        let desk = Desk::new();
        let bad = desk.enqueue("alice", "bad").await;
        let next = desk.enqueue("alice", "next").await;
        desk.db
            .write(move |tx| {
                tx.execute(
                    &format!("UPDATE deliveries SET {column} = '[' WHERE id = ?1"),
                    tidings_store::params![bad.get()],
                )
            })
            .await
            .unwrap();
        let running = desk.run();
        let call = desk.call().await;
        assert_eq!(call.text(), "next");
        call.deliver();
        desk.until(next, DeliveryState::Delivered).await;
        let delivery = desk.delivery(bad).await;
        assert_eq!(
            (delivery.state, delivery.reason.as_deref()),
            (DeliveryState::Dead, Some("unreadable"))
        );
        assert!(delivery.last_failure.unwrap().message.contains(column));
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_message_from_the_channel_is_cut() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    desk.call()
        .await
        .fail(SendError::new(Phase::AfterBody, "é".repeat(5_000)).with_status(400, None));
    let failure = desk.until(id, DeliveryState::Dead).await.last_failure.unwrap();
    assert!(failure.message.len() <= 500);
    running.stop().await;
}

/// No database keeps the character, and an outcome that cannot be recorded would hold up its conversation for good.
#[tokio::test(start_paused = true)]
async fn a_channel_that_answers_nul_characters_holds_nothing_up() {
    let desk = Desk::new();
    let running = desk.run();
    let refused = desk.enqueue("alice", "refused").await;
    let error = SendError::new(Phase::AfterBody, "n\0").with_status(400, Some("B\0d".to_owned()));
    desk.call().await.fail(error);
    let failure = desk
        .until(refused, DeliveryState::Dead)
        .await
        .last_failure
        .unwrap();
    assert_eq!(
        (failure.status, failure.code.as_deref()),
        (Some(400), Some("B\u{fffd}d"))
    );
    assert!(!failure.message.contains('\0'), "{failure:?}");
    let taken = desk.enqueue("alice", "taken").await;
    desk.call().await.deliver_as("i\0d");
    assert_eq!(
        desk.until(taken, DeliveryState::Delivered).await.activity_id,
        None
    );
    running.stop().await;
}
