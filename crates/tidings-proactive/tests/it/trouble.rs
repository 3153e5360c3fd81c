//! A database that refuses.

use std::time::Duration;

use tidings_connector::{Phase, SendError};
use tidings_proactive::{DeliveryState, JobState, ProactiveError};
use tidings_store::{DatabaseOptions, StoreErrorKind};

use crate::desk::{Desk, options, reference};

/// The kind of the store's error, or a panic.
fn kind(error: &ProactiveError) -> StoreErrorKind {
    match error {
        ProactiveError::Store(error) => error.kind(),
        other => panic!("not the store's error: {other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_database_refuses_new_jobs_and_keeps_the_old_ones() {
    let desk = Desk::on(DatabaseOptions::temporary().max_pages(80), options(4));
    let mut started = 0;
    let error = loop {
        match desk.jobs.start(reference(&"long".repeat(100))).await {
            Ok(_) => started += 1,
            Err(error) => break error,
        }
        assert!(started < 10_000, "the page limit is not kept");
    };
    assert_eq!(kind(&error), StoreErrorKind::Full);
    let page = desk.jobs.page(1).await.unwrap();
    assert_eq!(
        (page.jobs.len() as u64 + page.older, page.jobs[0].state),
        (started, JobState::Running)
    );
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_is_not_kept_is_not_announced() {
    let desk = Desk::on(DatabaseOptions::temporary().max_pages(80), options(4));
    let running = desk.run();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    while desk.jobs.start(reference(&"long".repeat(100))).await.is_ok() {}
    let error = desk
        .jobs
        .complete(job, "Long news. ".repeat(2_000))
        .await
        .unwrap_err();
    assert_eq!(kind(&error), StoreErrorKind::Full);
    assert_eq!(
        desk.jobs.get(job).await.unwrap().unwrap().state,
        JobState::Running
    );
    running.stop().await;
    assert!(desk.nothing_is_on_its_way().await);
    assert!(desk.ledger().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_full_in_the_middle_of_it_loses_nothing() {
    let desk = Desk::on(DatabaseOptions::temporary().max_pages(120), options(4));
    let running = desk.run();
    desk.until_it_runs().await;
    let head = desk.enqueue("alice", "0").await;
    let mut accepted = vec![head];
    let call = desk.call().await;
    let error = loop {
        let text = format!("{} {}", accepted.len(), "x".repeat(1_000));
        match desk.owe("alice", &text).commit().await {
            Ok(id) => accepted.push(id),
            Err(error) => break error,
        }
        assert!(accepted.len() < 10_000, "the page limit is not kept");
    };
    assert_eq!(kind(&error), StoreErrorKind::Full);
    assert!(error.to_string().contains("free disk space"), "{error}");
    // Each failure of the one at the head is a row, until there is no room for it either.
    let failures = desk.db.stats().failures;
    let mut call = Some(call);
    while desk.db.stats().failures == failures {
        if let Some(call) = call.take() {
            let message = "long ".repeat(100);
            call.fail(SendError::new(Phase::BeforeBody, message).with_retry_after(Duration::ZERO));
        }
        call = tokio::select! {
            biased;
            call = desk.call() => Some(call),
            () = tokio::task::yield_now() => None,
        };
    }
    assert!(call.is_none(), "nothing overtakes what cannot be recorded");
    let delivery = desk.delivery(head).await;
    assert_eq!(delivery.state, DeliveryState::Sending);
    assert_eq!(
        kind(
            &desk
                .jobs
                .start(reference(&"long".repeat(1_000)))
                .await
                .unwrap_err()
        ),
        StoreErrorKind::Full
    );

    desk.db
        .write(|tx| tx.script("PRAGMA max_page_count = 10000"))
        .await
        .unwrap();
    let later = desk.enqueue("alice", "later").await;
    accepted.push(later);
    for (number, id) in accepted.iter().enumerate() {
        let call = desk.call().await;
        assert_eq!(call.delivery, *id, "the {number}th in its order");
        call.deliver();
    }
    for id in accepted {
        desk.until(id, DeliveryState::Delivered).await;
    }
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_recorded_is_recorded_when_the_database_allows_it() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    let behind = desk.enqueue("alice", "behind").await;
    let call = desk.call().await;
    desk.refuse("UPDATE", "deliveries", "new.state = 'delivered'")
        .await;
    call.deliver();
    // Each refusal is an operation that failed.
    while desk.db.stats().failures == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.delivery(id).await.state, DeliveryState::Sending);
    assert!(
        desk.nothing_is_on_its_way().await,
        "nothing overtakes it and nothing repeats it"
    );
    desk.allow().await;
    desk.until(id, DeliveryState::Delivered).await;
    let call = desk.call().await;
    assert_eq!(call.text(), "behind");
    call.deliver();
    desk.until(behind, DeliveryState::Delivered).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_database_ends_the_worker_with_the_reason() {
    let desk = Desk::new();
    desk.db.close().await;
    let error = desk.jobs.start(reference("alice")).await.unwrap_err();
    assert_eq!(kind(&error), StoreErrorKind::Closed);
    let ended = desk
        .proactive
        .run(
            std::sync::Arc::new(Silent),
            tokio_util::sync::CancellationToken::new(),
        )
        .await;
    assert_eq!(kind(&ended.unwrap_err()), StoreErrorKind::Closed);
}

struct Silent;

#[async_trait::async_trait]
impl tidings_proactive::Channel for Silent {
    async fn send(&self, _: tidings_proactive::Outgoing<'_>) -> Result<Option<String>, SendError> {
        Ok(None)
    }
}
