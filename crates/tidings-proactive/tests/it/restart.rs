//! A process that dies: its runtime is dropped with everything in it, and another opens the same database.

use std::time::Duration;

use jiff::SignedDuration;
use tempfile::TempDir;
use tidings_activity::Activity;
use tidings_bot::{Conversation, Identity};
use tidings_proactive::{Completion, DeliveryState, JobState};
use tidings_store::DatabaseOptions;
use tokio::runtime::{Builder, Runtime};

use crate::desk::{Desk, is_on_postgres, options, place, reference, status, unreachable};

fn process() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

/// A database that stays: one file, or one schema.
struct Home {
    options: DatabaseOptions,
    _folder: TempDir,
}

fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let options = match is_on_postgres() {
        true => place(),
        false => DatabaseOptions::new(folder.path().join("tidings.db")),
    };
    Home {
        options,
        _folder: folder,
    }
}

/// Runs `life` in a process that is killed when it returns.
fn live_and_die<T>(home: &Home, life: impl AsyncFnOnce(&Desk) -> T) -> T {
    let runtime = process();
    let desk = runtime.block_on(async { Desk::on(home.options.clone(), options(4)) });
    let result = runtime.block_on(life(&desk));
    drop(runtime);
    // What the writer was handed still happens, and must be over before another opens the file.
    process().block_on(desk.db.close());
    result
}

#[test]
fn what_was_owed_and_what_was_being_sent_is_sent_after_a_crash() {
    let home = home();
    let behind = live_and_die(&home, async |desk| {
        let other = desk.enqueue("other", "before the worker ran").await;
        let running = desk.run();
        let call = desk.call().await;
        assert_eq!(call.conversation(), "other");
        call.deliver();
        desk.until(other, DeliveryState::Delivered).await;
        let job = desk.jobs.start(reference("alice")).await.unwrap();
        assert_eq!(
            desk.jobs.complete(job, "Done.").await.unwrap(),
            Completion::Completed
        );
        let sending = desk.call().await;
        let behind = desk.enqueue("alice", "behind").await;
        drop((sending, running));
        behind
    });
    live_and_die(&home, async |desk| {
        let job = desk.jobs.page(10).await.unwrap().jobs.pop().unwrap();
        assert_eq!(
            (job.state, job.notice),
            (JobState::Complete, Some(DeliveryState::Sending))
        );
        let running = desk.run();
        for expected in ["Done.", "behind"] {
            let call = desk.call().await;
            assert_eq!((call.conversation(), call.text()), ("alice", expected));
            call.deliver();
        }
        let behind = desk.until(behind, DeliveryState::Delivered).await;
        assert!(!behind.repeat_possible, "it had not been started");
        running.stop().await;
        assert!(
            desk.nothing_is_on_its_way().await,
            "what was delivered is not sent again"
        );
    });
}

#[test]
fn a_delivery_taken_back_says_that_it_may_repeat() {
    let home = home();
    let id = live_and_die(&home, async |desk| {
        let running = desk.run();
        let id = desk.enqueue("alice", "x").await;
        drop((desk.call().await, running));
        id
    });
    live_and_die(&home, async |desk| {
        let running = desk.run();
        desk.call().await.deliver();
        let delivery = desk.until(id, DeliveryState::Delivered).await;
        assert_eq!((delivery.starts, delivery.repeat_possible), (2, true));
        running.stop().await;
    });
}

#[test]
fn a_restart_ends_our_own_waits_but_not_those_that_the_channel_asked_for() {
    let home = home();
    let (ours, theirs) = live_and_die(&home, async |desk| {
        let _running = desk.run();
        let ours = desk.enqueue("ours", "x").await;
        desk.call().await.fail(unreachable());
        let theirs = desk.enqueue("theirs", "x").await;
        desk.call()
            .await
            .fail(status(429).with_retry_after(Duration::from_secs(3_600)));
        desk.until(ours, DeliveryState::Retryable).await;
        desk.until(theirs, DeliveryState::Retryable).await;
        (ours, theirs)
    });
    live_and_die(&home, async |desk| {
        let running = desk.run();
        let call = desk.call().await;
        assert_eq!(call.conversation(), "ours");
        call.deliver();
        desk.until(ours, DeliveryState::Delivered).await;
        let waiting = desk.delivery(theirs).await;
        assert_eq!(waiting.due_at, Some(desk.now() + SignedDuration::from_hours(1)));
        desk.clock.advance(SignedDuration::from_hours(1));
        desk.call().await.deliver();
        desk.until(theirs, DeliveryState::Delivered).await;
        running.stop().await;
    });
}

#[test]
fn jobs_and_numbers_go_on_after_a_restart() {
    let home = home();
    for expected in 1001..=1003 {
        live_and_die(&home, async |desk| {
            assert_eq!(desk.jobs.start(reference("alice")).await.unwrap().get(), expected);
            assert_eq!(
                desk.jobs.page(10).await.unwrap().jobs.len() as u64,
                expected - 1000
            );
        });
    }
}

#[test]
fn whoever_is_told_after_a_restart_is_told_as_whom_the_bot_was_asked() {
    let home = home();
    let claims = [("aud", "bot"), ("azp", "parent"), ("ver", "2.0")];
    let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let skill = Conversation::new(reference("alice"), Identity::verified(claims.into()));
    live_and_die(&home, async |desk| {
        let job = desk.jobs.start(&skill).await.unwrap();
        desk.jobs.start(reference("bob")).await.unwrap();
        assert!(desk.jobs.complete(job, "Done.").await.is_ok());
        desk.proactive
            .enqueue(&skill, &Activity::message("news"))
            .await
            .unwrap();
        desk.proactive
            .enqueue(reference("bob"), &Activity::message("news"))
            .await
            .unwrap();
    });
    live_and_die(&home, async |desk| {
        let jobs = desk.jobs.page(10).await.unwrap().jobs;
        assert_eq!(jobs[0].reference().unwrap(), skill);
        assert_eq!(jobs[1].reference().unwrap(), Conversation::from(reference("bob")));
        let kept = desk.db.read(|conn| {
            let count = |table| format!("SELECT count(identity) FROM {table}");
            let jobs: Option<i64> = conn.first(&count("jobs"), &[], |row| row.get(0))?;
            let lanes: Option<i64> = conn.first(&count("lane_addresses"), &[], |row| row.get(0))?;
            Ok((jobs, lanes))
        });
        assert_eq!(
            kept.await.unwrap(),
            (Some(1), Some(1)),
            "nothing is kept for nobody"
        );
        let running = desk.run();
        for _ in 0..3 {
            let call = desk.call().await;
            let audience = (call.conversation() == "alice").then_some("parent");
            assert_eq!(call.conversation.identity.audience(), audience);
            assert_eq!(call.conversation.is_verified(), audience.is_some());
            call.deliver();
        }
        running.stop().await;
    });
}
