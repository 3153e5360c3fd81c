//! What a database remembers of activities that have had their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tidings_activity::{Activity, ActivityType, DeliveryMode};
use tidings_bot::{
    Adapter, BotState, BuildError, DeduplicationLimits, Error, Result, Router, Service, TestAdapter, Text,
    TurnContext, TurnResponse,
};
use tidings_connector::ConnectorClient;
use tidings_store::{Database, MemoryStorage, Migrations, params};

use crate::support::{Home, Log, NOTES, Note, is_on_postgres, notes};

async fn echo(turn: &mut TurnContext, text: Text) -> Result<()> {
    turn.say(text.0).await
}

fn message(id: &str) -> Activity {
    Activity::message(id).with_id(id)
}

fn limits(change: impl FnOnce(&mut DeduplicationLimits)) -> Option<DeduplicationLimits> {
    let mut limits = DeduplicationLimits::default();
    change(&mut limits);
    Some(limits)
}

#[tokio::test]
async fn a_committed_turn_is_not_run_again_before_or_after_a_restart() {
    let home = Home::new();
    let life = home.start(Router::new().otherwise(echo), |adapter| adapter);
    life.user.send(message("1")).await.unwrap().assert_reply("1");
    life.user.send(message("1")).await.unwrap().assert_silent();
    life.end().await;

    let life = home.start(Router::new().otherwise(echo), |adapter| adapter);
    assert_eq!(life.user.deliver(message("1")).await.unwrap(), TurnResponse::ok());
    life.user.heard().assert_silent();
    // Another id, conversation or channel is another activity.
    life.user.send(message("2")).await.unwrap().assert_reply("2");
    life.user
        .conversation("ben")
        .send(message("1"))
        .await
        .unwrap()
        .assert_reply("1");
    life.user
        .send(message("1").with_channel_id("slack"))
        .await
        .unwrap()
        .assert_reply("1");
}

#[tokio::test]
async fn invokes_and_expected_replies_get_the_same_answer_after_a_restart() {
    async fn invoked(turn: &mut TurnContext) -> Result<()> {
        turn.respond_invoke(418, Some("a teapot"))
    }
    async fn never(_: &mut TurnContext) -> Result<()> {
        panic!("it has had its turn")
    }
    let home = Home::new();
    let activities = || {
        [
            Activity::new(ActivityType::Invoke).with_name("tea").with_id("1"),
            Activity::new(ActivityType::Invoke)
                .with_name("nobody's")
                .with_id("2"),
            message("3").with_delivery_mode(DeliveryMode::ExpectReplies),
            message("4"),
        ]
    };
    let life = home.start(Router::new().invoke("tea", invoked).otherwise(echo), |adapter| {
        adapter
    });
    let mut answers = Vec::new();
    for activity in activities() {
        answers.push(life.user.deliver(activity).await.unwrap());
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [418, 501, 200, 200]);
    assert_eq!(answers[0].body.as_ref().unwrap().get(), "\"a teapot\"");
    assert!(answers[2].body.is_some() && answers[3].body.is_none());
    life.end().await;

    let life = home.start(Router::new().invoke("tea", never).otherwise(never), |adapter| {
        adapter
    });
    for (activity, answer) in activities().into_iter().zip(answers) {
        assert_eq!(life.user.deliver(activity).await.unwrap(), answer);
    }
}

#[tokio::test]
async fn a_turn_that_was_not_committed_runs_again_before_and_after_a_restart() {
    async fn fails(_: &mut TurnContext) -> Result<()> {
        Err(Error::msg("not yet"))
    }
    async fn fails_to_commit(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("before"));
        turn.stage(Note("fail"));
        Ok(())
    }
    let home = Home::new();
    let life = home.start(
        Router::new().otherwise(fails).message("2", fails_to_commit),
        |adapter| adapter,
    );
    for id in ["1", "1", "2", "2"] {
        assert_eq!(life.user.deliver(message(id)).await.unwrap_err().status(), 500);
    }
    assert!(notes(&life.database).await.is_empty());
    assert_eq!(
        life.rows("bot_turns").await,
        0,
        "the row goes with the turn's own steps"
    );
    life.end().await;

    let life = home.start(Router::new().otherwise(echo), |adapter| adapter);
    life.user.send(message("1")).await.unwrap().assert_reply("1");
    life.user.send(message("2")).await.unwrap().assert_reply("2");
    // A failure that was settled by an apology was not committed either.
    let settled = Router::new().otherwise(fails).on_turn_error(echo);
    let other = TestAdapter::builder(settled)
        .set_up(|adapter| adapter.storage(Arc::new(life.database.clone())))
        .build();
    other.send(message("3")).await.unwrap().assert_reply("3");
    life.user.send(message("3")).await.unwrap().assert_reply("3");
}

#[tokio::test]
async fn the_row_is_in_the_commit_of_state_and_steps() {
    async fn both(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("staged"));
        let visits = BotState::conversation().property::<u32>("visits");
        visits.set(turn, &1).await
    }
    let home = Home::new();
    let life = home.start(Router::new().otherwise(both), |adapter| adapter);
    life.user.deliver(message("1")).await.unwrap();
    assert_eq!((life.rows("bot_turns").await, life.rows("notes").await), (1, 1));
    life.end().await;
    let life = home.start(Router::new().otherwise(both), |adapter| adapter);
    life.user.deliver(message("1")).await.unwrap();
    assert_eq!(
        notes(&life.database).await,
        ["staged"],
        "a note of the same text would have failed"
    );
}

#[tokio::test]
async fn with_a_storage_elsewhere_steps_are_taken_once_also_over_a_restart() {
    async fn both(turn: &mut TurnContext, broken: Service<Arc<AtomicBool>>, log: Service<Log>) -> Result<()> {
        log.add("ran");
        turn.stage(Note("once"));
        if !broken.load(Ordering::Relaxed) {
            return Ok(());
        }
        // What cannot be read cannot be written either: the commit fails after its steps.
        let visits = BotState::conversation().property::<Unwritable>("visits");
        visits.set(turn, &Unwritable).await
    }
    /// Its write succeeds; the storage refuses it.
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Unwritable;

    let (home, log, broken) = (Home::new(), Log::default(), Arc::new(AtomicBool::new(true)));
    let start = |storage: Arc<dyn tidings_store::Storage>| {
        let database = home.open();
        let user = TestAdapter::builder(Router::new().otherwise(both))
            .set_up(|adapter| {
                let adapter = adapter.service(log.clone()).service(broken.clone());
                adapter.storage(storage).database(database.clone())
            })
            .build();
        (user, database)
    };
    let (user, database) = start(Arc::new(Refusing));
    let error = user.deliver(message("1")).await.unwrap_err();
    assert!(error.to_string().contains("elsewhere is down"), "{error}");
    assert_eq!(notes(&database).await, ["once"], "the steps went first");
    drop(user);
    database.close().await;

    for expected in [["ran", "ran"].as_slice(), &[]] {
        let (user, database) = start(Arc::new(MemoryStorage::new()));
        assert_eq!(user.deliver(message("1")).await.unwrap(), TurnResponse::ok());
        assert_eq!(notes(&database).await, ["once"]);
        assert_eq!(log.take(), expected, "it runs until it is whole");
        drop(user);
        database.close().await;
    }
}

/// A storage that has nothing and takes nothing.
struct Refusing;

#[tidings_bot::async_trait]
impl tidings_store::Storage for Refusing {
    async fn read(
        &self,
        _: &[&str],
    ) -> Result<std::collections::HashMap<String, tidings_store::Document>, tidings_store::StorageError> {
        Ok(std::collections::HashMap::new())
    }

    async fn write(
        &self,
        _: Vec<(String, tidings_store::Document)>,
    ) -> Result<Vec<(String, tidings_store::ETag)>, tidings_store::StorageError> {
        Err(tidings_store::StorageError::message("elsewhere is down"))
    }

    async fn delete(&self, _: &[&str]) -> Result<(), tidings_store::StorageError> {
        Ok(())
    }
}

#[tokio::test]
async fn as_many_activities_as_allowed_are_remembered() {
    // There they are counted now and then, and forgotten many at a time.
    if is_on_postgres() {
        return;
    }
    let home = Home::new();
    let bot = || Router::new().otherwise(echo);
    let three = || limits(|limits| limits.activities = 3);
    let life = home.start(bot(), |adapter| adapter.deduplication(three()));
    for id in ["1", "2", "3"] {
        life.user.send(message(id)).await.unwrap().assert_reply(id);
    }
    life.user.send(message("1")).await.unwrap().assert_silent();
    life.user.send(message("4")).await.unwrap().assert_reply("4");
    life.user.send(message("2")).await.unwrap().assert_silent();
    life.user.send(message("1")).await.unwrap().assert_reply("1");
    life.end().await;
    // What was forgotten stays so after a restart, and its rows go.
    let life = home.start(bot(), |adapter| adapter.deduplication(three()));
    life.user.send(message("3")).await.unwrap().assert_silent();
    assert_eq!(life.rows("bot_turns").await, 3);
    life.user.send(message("2")).await.unwrap().assert_reply("2");
    for number in 0..200 {
        life.user.deliver(message(&format!("n{number}"))).await.unwrap();
    }
    assert!(
        life.rows("bot_turns").await <= 3 + 64,
        "rows go a few at a time, with the turns"
    );
}

#[tokio::test]
async fn for_as_long_as_allowed() {
    for (passed, heard) in [(23 * 3600 + 3599, 0), (24 * 3600, 1), (24 * 3600 + 1, 1)] {
        for restarted in [false, true] {
            let home = Home::new();
            let life = home.start(Router::new().otherwise(echo), |adapter| adapter);
            let id = if restarted { "b" } else { "a" };
            life.user.send(message(id)).await.unwrap().assert_reply(id);
            let life = if restarted {
                life.end().await;
                home.start(Router::new().otherwise(echo), |adapter| adapter)
            } else {
                life
            };
            life.user.clock().advance(SignedDuration::from_secs(passed));
            assert_eq!(
                life.user.send(message(id)).await.unwrap().len(),
                heard,
                "{passed} {restarted}"
            );
            life.end().await;
        }
    }
}

#[tokio::test]
async fn bodies_are_bounded_in_all_and_a_repeated_activity_is_then_answered_without_one() {
    async fn invoked(turn: &mut TurnContext) -> Result<()> {
        // With its quotes it has 40 bytes.
        turn.respond_invoke(200, Some(&"x".repeat(38)))
    }
    let invoke = |id: &str| Activity::new(ActivityType::Invoke).with_name("x").with_id(id);
    for (body_bytes, remembered) in [(39, 0), (40, 1), (79, 1), (80, 2), (120, 3)] {
        let home = Home::new();
        let start = || {
            home.start(Router::new().invoke("x", invoked), |adapter| {
                adapter.deduplication(limits(|limits| limits.body_bytes = body_bytes))
            })
        };
        let life = start();
        for id in ["1", "2", "3"] {
            assert!(life.user.deliver(invoke(id)).await.unwrap().body.is_some());
        }
        life.end().await;
        let life = start();
        let mut bodies = Vec::new();
        for id in ["1", "2", "3"] {
            let answer = life.user.deliver(invoke(id)).await.unwrap();
            assert_eq!(answer.status, 200);
            bodies.push(answer.body.is_some());
        }
        assert_eq!(
            bodies,
            [remembered > 2, remembered > 1, remembered > 0],
            "{body_bytes}"
        );
    }
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_not_kept() {
    #[derive(Clone)]
    struct Size(usize);
    async fn invoked(turn: &mut TurnContext, size: Service<Size>) -> Result<()> {
        turn.respond_invoke(200, Some(&"x".repeat(size.0.0 - 2)))
    }
    for (size, kept) in [
        (1024 * 1024 - 1, true),
        (1024 * 1024, true),
        (1024 * 1024 + 1, false),
    ] {
        let home = Home::new();
        let life = home.start(Router::new().invoke("x", invoked), |adapter| {
            adapter.service(Size(size))
        });
        let invoke = Activity::new(ActivityType::Invoke).with_name("x").with_id("1");
        assert!(life.user.deliver(invoke.clone()).await.unwrap().body.is_some());
        assert_eq!(
            life.user.deliver(invoke).await.unwrap().body.is_some(),
            kept,
            "{size}"
        );
    }
}

#[tokio::test]
async fn rows_of_the_first_version_are_taken_over() {
    // PostgreSQL has no such version.
    if is_on_postgres() {
        return;
    }
    let home = Home::new();
    let first_version = Migrations {
        sqlite: &tidings_bot::MIGRATIONS.sqlite[..1],
        ..tidings_bot::MIGRATIONS
    };
    let old = home.open_with(first_version);
    old.write(|tx| {
        tx.execute(
            "INSERT INTO bot_committed_turns (activity_key, committed_at_ms) VALUES (?1, 5)",
            params!["test\0conversation\x001".as_bytes()],
        )
    })
    .await
    .unwrap();
    old.close().await;
    drop(old);
    let database = home.open();
    let user = TestAdapter::builder(Router::new().otherwise(async |turn: &mut TurnContext| {
        turn.stage(Note("twice"));
        turn.say("ran").await
    }))
    .set_up(|adapter| adapter.database(database.clone()))
    .build();
    user.send(message("1")).await.unwrap().assert_reply("ran");
    assert!(notes(&database).await.is_empty(), "its steps had been committed");
    user.send(message("1")).await.unwrap().assert_silent();
}

#[test]
fn a_database_needs_the_tables_and_slow_is_less_than_a_channel_waits() {
    let builder = || {
        let connector = ConnectorClient::builder().build().unwrap();
        Adapter::builder().connector(connector).bot(Router::new())
    };
    let error = builder()
        .database(Database::temporary([NOTES]).unwrap())
        .build()
        .unwrap_err();
    assert_eq!(error, BuildError::NoTables);
    assert!(error.to_string().contains("tidings_bot::MIGRATIONS"), "{error}");
    for (after, fits) in [(14_999, true), (15_000, false), (15_001, false)] {
        let after = Duration::from_millis(after);
        let built = builder().slow_turn_after(after).build();
        let refused = BuildError::SlowTurnAfter { after };
        assert_eq!(built.err(), (!fits).then_some(refused));
    }
}
