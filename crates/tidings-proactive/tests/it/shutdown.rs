//! Stopping cleanly.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_connector::SendError;
use tidings_proactive::{Channel, DeliveryState, Outgoing, ProactiveError};
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, reference};

#[tokio::test(start_paused = true)]
async fn what_is_being_sent_is_settled_and_the_rest_stays_for_the_next_run() {
    let desk = Desk::new();
    let running = desk.run();
    let first = desk.enqueue("alice", "first").await;
    let second = desk.enqueue("alice", "second").await;
    let call = desk.call().await;
    running.ask_to_stop();
    let stopping = running.stop();
    let mut stopping = std::pin::pin!(stopping);
    assert!(
        futures_util::poll!(&mut stopping).is_pending(),
        "it waits for what is being sent"
    );
    call.deliver();
    stopping.await;
    assert_eq!(desk.delivery(first).await.state, DeliveryState::Delivered);
    let waiting = desk.delivery(second).await;
    assert_eq!((waiting.state, waiting.starts), (DeliveryState::Available, 0));

    let third = desk.enqueue("bob", "third").await;
    assert_eq!(desk.delivery(third).await.state, DeliveryState::Available);
    let job = desk.jobs.start(reference("carol")).await.unwrap();
    desk.jobs.complete(job, "fourth").await.unwrap();
    assert!(desk.nothing_is_on_its_way().await);

    let running = desk.run();
    let mut texts = Vec::new();
    for _ in 0..3 {
        let call = desk.call().await;
        texts.push(call.text().to_owned());
        call.deliver();
    }
    texts.sort();
    assert_eq!(texts, ["fourth", "second", "third"]);
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_second_worker_is_refused_while_the_first_runs() {
    let desk = Desk::new();
    let running = desk.run();
    desk.enqueue("alice", "x").await;
    desk.call().await.deliver();
    let second = desk
        .proactive
        .run(Arc::new(Nobody), CancellationToken::new())
        .await;
    assert!(matches!(second, Err(ProactiveError::AlreadyRunning)));
    running.stop().await;
    desk.run().stop().await;
}

struct Nobody;

#[async_trait]
impl Channel for Nobody {
    async fn send(&self, _: Outgoing<'_>) -> Result<Option<String>, SendError> {
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_dropped_while_it_waits_leaves_no_orphan() {
    let desk = Desk::new();
    let running = desk.run();
    desk.until_it_runs().await;
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    {
        let complete = desk.jobs.complete(job, "Done.");
        let mut complete = std::pin::pin!(complete);
        // Handed to the writer, then dropped before it answers.
        assert!(futures_util::poll!(&mut complete).is_pending());
    }
    let call = desk.call().await;
    assert_eq!(call.text(), "Done.");
    call.deliver();
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_run_after_one_that_was_aborted_takes_over_what_was_in_flight() {
    let desk = Desk::new();
    let aborted = desk.run();
    let first = desk.enqueue("alice", "first").await;
    let call = desk.call().await;
    aborted.abort().await;
    let running = desk.run();
    let again = desk.call().await;
    assert_eq!(again.text(), "first");
    drop(call);
    again.deliver();
    let delivery = desk.until(first, DeliveryState::Delivered).await;
    assert_eq!((delivery.starts, delivery.repeat_possible), (2, true));
    desk.enqueue("alice", "second").await;
    let call = desk.call().await;
    assert_eq!(call.text(), "second");
    call.deliver();
    running.stop().await;
}
