//! The job log.

use std::collections::HashSet;

use futures_util::future::join_all;
use tidings_activity::{ConversationAccount, ConversationReference};
use tidings_proactive::{Completion, DeliveryState, JobNumber, JobState, ProactiveError};
use tidings_store::Dialect;

use crate::desk::{Desk, reference};

fn number(value: u64) -> JobNumber {
    JobNumber::new(value).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_started_completed_once_and_its_creator_told() {
    let desk = Desk::new();
    let running = desk.run();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    assert_eq!(job, number(1001));
    let record = desk.jobs.get(job).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.completed_at, record.notice),
        (JobState::Running, None, None)
    );
    assert_eq!(
        (record.channel_id.as_str(), record.conversation_id.as_str()),
        ("test", "alice")
    );
    assert_eq!(record.reference().unwrap(), reference("alice"));
    assert_eq!(record.started_at, desk.now());

    assert_eq!(
        desk.jobs.complete(job, "Job 1001 is complete.").await.unwrap(),
        Completion::Completed
    );
    assert_eq!(
        desk.jobs.complete(job, "Again.").await.unwrap(),
        Completion::AlreadyComplete
    );

    let call = desk.call().await;
    assert_eq!(
        (call.conversation(), call.text()),
        ("alice", "Job 1001 is complete.")
    );
    assert_eq!(
        desk.jobs.get(job).await.unwrap().unwrap().notice,
        Some(DeliveryState::Sending)
    );
    let mut changes = desk.jobs.watch();
    call.deliver();
    changes.changed().await.unwrap();
    let record = desk.jobs.get(job).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.completed_at),
        (JobState::Complete, Some(desk.now()))
    );
    assert_eq!(record.notice, Some(DeliveryState::Delivered));
    running.stop().await;
    assert!(desk.nothing_is_on_its_way().await);
}

#[tokio::test(start_paused = true)]
async fn the_notice_is_addressed_by_the_creators_reference_and_replies_to_nothing() {
    let desk = Desk::new();
    let running = desk.run();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    desk.jobs.complete(job, "Done.").await.unwrap();
    let call = desk.call().await;
    let activity = &call.activity;
    assert_eq!(activity.recipient, reference("alice").user);
    assert_eq!(activity.from, reference("alice").bot);
    assert_eq!(activity.conversation, reference("alice").conversation);
    assert_eq!(activity.service_url, reference("alice").service_url);
    assert_eq!(
        (activity.id.as_ref(), activity.reply_to_id.as_ref()),
        (None, None)
    );
    call.deliver();
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_not_completed() {
    let desk = Desk::new();
    for unknown in [number(1), JobNumber::MAX] {
        assert_eq!(
            desk.jobs.complete(unknown, "Done.").await.unwrap(),
            Completion::Unknown
        );
        assert_eq!(desk.jobs.get(unknown).await.unwrap(), None);
    }
    assert!(desk.ledger().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ten_simultaneous_completions_give_one_notice() {
    let desk = Desk::new();
    let running = desk.run();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    let found = join_all((0..10).map(|_| desk.jobs.complete(job, "Done."))).await;
    let completed = found
        .iter()
        .filter(|found| matches!(found, Ok(Completion::Completed)))
        .count();
    let already = found
        .iter()
        .filter(|found| matches!(found, Ok(Completion::AlreadyComplete)))
        .count();
    assert_eq!((completed, already), (1, 9));
    desk.call().await.deliver();
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 1)]);
    assert!(desk.nothing_is_on_its_way().await);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_simultaneous_starts_give_a_thousand_jobs() {
    let desk = Desk::new();
    let started = join_all((0..1000).map(|n| desk.jobs.start(reference(&format!("c{n}"))))).await;
    let numbers: HashSet<u64> = started.into_iter().map(|job| job.unwrap().get()).collect();
    assert!(
        (1001..=2000).all(|number| numbers.contains(&number)),
        "{} numbers",
        numbers.len()
    );
    for n in [1001, 1500, 2000] {
        let job = desk.jobs.get(number(n)).await.unwrap().unwrap();
        assert_eq!(
            job.reference().unwrap().conversation_id(),
            Some(job.conversation_id.as_str())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_the_newest_oldest_first_and_counts_the_rest() {
    let desk = Desk::new();
    let page = desk.jobs.page(3).await.unwrap();
    assert_eq!((page.jobs.len(), page.older), (0, 0));
    for expected in [(1, 0), (2, 0), (3, 0), (3, 1), (3, 2)] {
        desk.jobs.start(reference("alice")).await.unwrap();
        let page = desk.jobs.page(3).await.unwrap();
        assert_eq!((page.jobs.len(), page.older), expected);
    }
    let page = desk.jobs.page(3).await.unwrap();
    let numbers: Vec<u64> = page.jobs.iter().map(|job| job.number.get()).collect();
    assert_eq!(numbers, [1003, 1004, 1005]);
    assert_eq!(desk.jobs.page(0).await.unwrap().older, 5);
    assert_eq!(desk.jobs.page(usize::MAX).await.unwrap().jobs.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_leaves_no_gap() {
    let desk = Desk::new();
    desk.jobs.start(reference("alice")).await.unwrap();
    let failed = desk
        .db
        .write(|tx| {
            tx.execute(
                "INSERT INTO jobs (channel_id, conversation_id, reference, state, started_at)
                 VALUES ('', 'x', '{}', 'running', 0)",
                &[],
            )?;
            Err::<(), _>(tidings_store::StoreError::message("undone"))
        })
        .await;
    assert!(failed.is_err());
    let next = desk.jobs.start(reference("alice")).await.unwrap();
    // PostgreSQL gives no number twice, not even one that was not kept.
    let gap = u64::from(desk.db.dialect() == Dialect::Postgres);
    assert_eq!(next, number(1002 + gap));
}

#[tokio::test(start_paused = true)]
async fn a_reference_without_a_conversation_is_refused() {
    let desk = Desk::new();
    let nowhere = ConversationReference::default();
    let empty = ConversationReference {
        conversation: Some(ConversationAccount::new("")),
        ..nowhere.clone()
    };
    for reference in [nowhere, empty] {
        let refused = desk.jobs.start(reference).await.unwrap_err();
        assert!(matches!(refused, ProactiveError::NoConversation), "{refused}");
        assert!(refused.to_string().contains("conversation.id"));
    }
}

#[tokio::test(start_paused = true)]
async fn odd_ids_come_back_as_they_were() {
    let desk = Desk::new();
    for id in [
        "19:a|b;c@thread.tacv2",
        "with space/slash?q=1#h%25",
        "line\nbreak",
        "עברית 𝒳 '\"\\",
    ] {
        let job = desk.jobs.start(reference(id)).await.unwrap();
        assert_eq!(desk.jobs.get(job).await.unwrap().unwrap().conversation_id, id);
    }
}

#[tokio::test(start_paused = true)]
async fn watchers_hear_of_a_start_a_completion_and_a_delivery() {
    let desk = Desk::new();
    let running = desk.run();
    let mut changes = desk.jobs.watch();
    let job = desk.jobs.start(reference("alice")).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.borrow_and_update();
    desk.jobs.complete(job, "Done.").await.unwrap();
    assert!(changes.has_changed().unwrap());
    let call = desk.call().await;
    changes.borrow_and_update();
    call.deliver();
    changes.changed().await.unwrap();
    running.stop().await;
}
