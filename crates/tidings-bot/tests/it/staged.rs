use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidings_activity::Activity;
use tidings_bot::{
    BotState, Error, Middleware, Next, ProcessError, Result, Router, Service, StateError,
    StatePropertyAccessor, TestAdapter, TurnContext, async_trait,
};
use tidings_store::{Database, Document, ETag, MemoryStorage, Storage, StorageError, params};

use crate::support::{Log, Note, database, is_on_postgres, notes};

fn visits() -> StatePropertyAccessor<u32> {
    BotState::conversation().property("visits")
}

/// A service in the manner of `Jobs`: durable before it returns.
#[derive(Clone)]
struct Durable(Database);

impl Durable {
    async fn note(&self, text: &'static str) -> Result<()> {
        let insert = move |tx: &tidings_store::Tx<'_>| {
            tx.execute("INSERT INTO notes (text) VALUES (?1)", params![text])?;
            Ok(())
        };
        Ok(self.0.write(insert).await?)
    }
}

async fn leaves_something(turn: &mut TurnContext, service: Service<Durable>) -> Result<()> {
    service.note("durable").await?;
    turn.stage(Note("staged"));
    visits().set(turn, &1).await?;
    assert_eq!(
        notes(&service.0.0).await,
        ["durable"],
        "durable before it returns; staged is not there yet"
    );
    turn.say("said").await
}

async fn leaves_something_and_fails(turn: &mut TurnContext, service: Service<Durable>) -> Result<()> {
    leaves_something(turn, service).await?;
    Err(Error::msg("it broke"))
}

async fn show(turn: &mut TurnContext) -> Result<()> {
    let visits = visits().get(turn).await?;
    turn.say(format!("{visits:?}")).await
}

fn user(database: &Database, bot: Router) -> TestAdapter {
    let (storage, service) = (Arc::new(database.clone()), Durable(database.clone()));
    TestAdapter::builder(bot.message("show", show))
        .set_up(|adapter| adapter.storage(storage).service(service))
        .build()
}

#[tokio::test]
async fn state_and_steps_are_committed_when_the_handler_returns_ok() {
    let database = database();
    let user = user(&database, Router::new().otherwise(leaves_something));
    user.send("x").await.unwrap().assert_reply("said");
    assert_eq!(notes(&database).await, ["durable", "staged"]);
    user.send("show").await.unwrap().assert_reply("Some(1)");
}

#[tokio::test]
async fn neither_is_kept_when_the_handler_fails_and_what_was_said_was_said() {
    let database = database();
    let user = user(&database, Router::new().otherwise(leaves_something_and_fails));
    user.send("x").await.unwrap_err();
    assert_eq!(user.heard().texts(), ["said"]);
    assert_eq!(notes(&database).await, ["durable"], "what is durable stays");
    user.send("show").await.unwrap().assert_reply("None");
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_time_out_after_staging_leave_nothing_either() {
    async fn panics(turn: &mut TurnContext) -> Result<()> {
        both(turn).await?;
        panic!("after staging")
    }
    async fn hangs(turn: &mut TurnContext) -> Result<()> {
        both(turn).await?;
        std::future::pending().await
    }
    for bot in [Router::new().otherwise(panics), Router::new().otherwise(hangs)] {
        let database = database();
        // State in memory: while the clock is paused, waiting for a database thread would count as time.
        let user = TestAdapter::builder(bot.message("show", show))
            .set_up(|adapter| {
                adapter
                    .database(database.clone())
                    .turn_limit(Duration::from_secs(1))
            })
            .build();
        assert_eq!(user.deliver("x").await.unwrap_err().status(), 500);
        user.send("show").await.unwrap().assert_reply("None");
        assert!(notes(&database).await.is_empty());
    }
}

#[tokio::test]
async fn what_on_turn_error_stages_is_kept_unless_it_fails_too() {
    async fn fails(turn: &mut TurnContext) -> Result<()> {
        both(turn).await?;
        Err(Error::msg("it broke"))
    }
    async fn notes_it(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("apology"));
        Ok(())
    }
    async fn notes_it_and_panics(turn: &mut TurnContext) -> Result<()> {
        visits().set(turn, &2).await?;
        notes_it(turn).await?;
        panic!("while apologising")
    }
    let kept = database();
    let settled = user(&kept, Router::new().otherwise(fails).on_turn_error(notes_it));
    settled.send("x").await.unwrap().assert_silent();
    assert_eq!(notes(&kept).await, ["apology"]);
    settled.send("show").await.unwrap().assert_reply("None");

    let dropped = database();
    let bot = Router::new().otherwise(fails).on_turn_error(notes_it_and_panics);
    let failed = user(&dropped, bot);
    let error = failed.send("x").await.unwrap_err();
    assert!(error.to_string().contains("it broke"), "{error}");
    assert!(notes(&dropped).await.is_empty());
    failed.send("show").await.unwrap().assert_reply("None");
}

#[tokio::test]
async fn a_middleware_that_settles_a_failure_does_not_keep_what_the_handler_left_half_done() {
    struct Settling;
    #[async_trait]
    impl Middleware for Settling {
        async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
            turn.stage(Note("before"));
            if next.run(turn).await.is_err() {
                turn.stage(Note("settled"));
            }
            Ok(())
        }
    }
    async fn fails(turn: &mut TurnContext) -> Result<()> {
        both(turn).await?;
        Err(Error::msg("it broke"))
    }
    let database = database();
    let storage = Arc::new(database.clone());
    let user = TestAdapter::builder(Router::new().otherwise(fails))
        .set_up(|adapter| adapter.storage(storage).middleware(Settling))
        .build();
    user.send("x").await.unwrap().assert_silent();
    assert_eq!(notes(&database).await, ["settled"]);
    let key = "test/conversations/conversation";
    assert_eq!(Storage::read_document(&database, key).await.unwrap(), None);
}

#[tokio::test]
async fn a_step_that_fails_takes_the_state_with_it() {
    async fn fails_late(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("first"));
        turn.stage(Note("fail"));
        visits().set(turn, &1).await
    }
    async fn apologise(turn: &mut TurnContext, error: Error) -> Result<()> {
        turn.say(error.to_string()).await
    }
    let database = database();
    let user = user(
        &database,
        Router::new().otherwise(fails_late).on_turn_error(apologise),
    );
    user.send("x").await.unwrap().assert_reply("this step fails");
    assert!(notes(&database).await.is_empty());
    user.send("show").await.unwrap().assert_reply("None");
}

#[tokio::test]
async fn a_failed_turn_that_runs_again_commits_once() {
    async fn fails_once(turn: &mut TurnContext, log: Service<Log>) -> Result<()> {
        turn.stage(Note("once"));
        let first = log.take().is_empty();
        log.add("ran");
        if first { Err(Error::msg("not yet")) } else { Ok(()) }
    }
    let database = database();
    let storage = Arc::new(database.clone());
    let user = TestAdapter::builder(Router::new().otherwise(fails_once))
        .set_up(|adapter| adapter.storage(storage).service(Log::default()))
        .build();
    let activity = user.complete(Activity::message("x"));
    user.deliver(activity.clone()).await.unwrap_err();
    user.deliver(activity.clone()).await.unwrap();
    user.deliver(activity).await.unwrap();
    assert_eq!(notes(&database).await, ["once"]);
}

#[tokio::test]
async fn steps_of_a_conflicting_commit_are_taken_once() {
    /// Another node writes another property of the same document while the turn runs.
    async fn disturbed(turn: &mut TurnContext, service: Service<Durable>) -> Result<()> {
        turn.stage(Note("staged"));
        visits().set(turn, &1).await?;
        let key = BotState::conversation().key(turn.activity())?;
        let document = Document::encode(&serde_json::json!({"theirs": true}))?;
        Storage::write_document(&service.0.0, &key, document).await?;
        Ok(())
    }
    let database = database();
    let user = user(&database, Router::new().otherwise(disturbed));
    user.deliver("x").await.unwrap();
    assert_eq!(notes(&database).await, ["staged"]);
    let document = Storage::read_document(&database, "test/conversations/conversation")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        serde_json::Value::Object(document.value),
        serde_json::json!({"theirs": true, "visits": 1})
    );
}

/// A storage that is no database, counts its calls, and fails when told to.
#[derive(Clone, Default)]
struct Elsewhere {
    memory: Arc<MemoryStorage>,
    calls: Log,
    broken: Arc<std::sync::atomic::AtomicBool>,
}

#[async_trait]
impl Storage for Elsewhere {
    async fn read(&self, keys: &[&str]) -> Result<HashMap<String, Document>, StorageError> {
        self.calls.add("read");
        self.memory.read(keys).await
    }

    async fn write(&self, changes: Vec<(String, Document)>) -> Result<Vec<(String, ETag)>, StorageError> {
        self.calls.add("write");
        if self.broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(StorageError::message("elsewhere is down"));
        }
        self.memory.write(changes).await
    }

    async fn delete(&self, keys: &[&str]) -> Result<(), StorageError> {
        self.calls.add("delete");
        self.memory.delete(keys).await
    }
}

async fn both(turn: &mut TurnContext) -> Result<()> {
    turn.stage(Note("staged"));
    visits().set(turn, &1).await
}

#[tokio::test]
async fn with_a_storage_elsewhere_steps_go_first_and_once_for_each_activity() {
    let (database, elsewhere) = (database(), Elsewhere::default());
    let storage = Arc::new(elsewhere.clone());
    let user = TestAdapter::builder(Router::new().otherwise(both).message("show", show))
        .set_up(|adapter| adapter.storage(storage).database(database.clone()))
        .build();
    let activity = user.complete(Activity::message("x"));
    elsewhere.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = user.deliver(activity.clone()).await.unwrap_err();
    assert!(error.to_string().contains("elsewhere is down"));
    assert_eq!(notes(&database).await, ["staged"], "the steps went first");

    elsewhere
        .broken
        .store(false, std::sync::atomic::Ordering::Relaxed);
    user.deliver(activity).await.unwrap();
    assert_eq!(
        notes(&database).await,
        ["staged"],
        "the same activity takes them once"
    );
    user.send("show").await.unwrap().assert_reply("Some(1)");
}

#[tokio::test]
async fn steps_that_fail_keep_the_state_elsewhere_as_it_was() {
    async fn fails(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("fail"));
        visits().set(turn, &1).await
    }
    let user = TestAdapter::builder(Router::new().otherwise(fails).message("show", show))
        .set_up(|adapter| adapter.database(database()))
        .build();
    user.deliver("x").await.unwrap_err();
    user.send("show").await.unwrap().assert_reply("None");
}

#[tokio::test]
async fn steps_without_any_database_fail_the_turn() {
    let user = TestAdapter::new(Router::new().otherwise(both));
    let ProcessError::Turn(error) = user.deliver("x").await.unwrap_err() else {
        panic!("the turn failed")
    };
    assert!(matches!(error.downcast_ref(), Some(StateError::NoDatabase)));
    assert!(error.to_string().contains("AdapterBuilder::database"), "{error}");
}

#[tokio::test]
async fn a_turn_that_reads_no_state_and_stages_nothing_does_no_storage_io() {
    let elsewhere = Elsewhere::default();
    let storage = Arc::new(elsewhere.clone());
    let bot = Router::new()
        .otherwise(async |turn: &mut TurnContext| turn.say("hello").await)
        .message("read", show)
        .message("same", async |turn: &mut TurnContext| {
            let now = visits().get_or_default(turn).await?;
            visits().set(turn, &now).await?;
            visits().set(turn, &(now + 1)).await?;
            visits().delete(turn).await
        });
    let user = TestAdapter::builder(bot)
        .set_up(|adapter| adapter.storage(storage))
        .build();
    user.send("x").await.unwrap().assert_reply("hello");
    assert!(elsewhere.calls.take().is_empty());
    user.send("read").await.unwrap().assert_reply("None");
    assert_eq!(elsewhere.calls.take(), ["read"], "read at the first use");
    user.send("same").await.unwrap().assert_silent();
    assert_eq!(
        elsewhere.calls.take(),
        ["read"],
        "read once, and not written as nothing changed"
    );
}

#[tokio::test]
async fn on_a_database_a_turn_is_one_write_whether_it_keeps_much_or_nothing() {
    let database = database();
    let storage = Arc::new(database.clone());
    let bot = Router::new()
        .otherwise(async |turn: &mut TurnContext| turn.say("hello").await)
        .message("both", both);
    let user = TestAdapter::builder(bot)
        .set_up(|adapter| adapter.storage(storage))
        .build();
    user.send("the first one opens the inbox")
        .await
        .unwrap()
        .assert_reply("hello");
    for (text, reads) in [("plain", 0), ("both", 1)] {
        let before = database.stats();
        user.deliver(text).await.unwrap();
        let after = database.stats();
        assert_eq!(after.operations - before.operations, 1, "{text}");
        assert_eq!(after.commits - before.commits, 1, "{text}");
        // Where others write too, the table is asked whether the activity has had its turn.
        let reads = reads + u64::from(is_on_postgres());
        assert_eq!(after.reads - before.reads, reads, "{text}: only state is read");
    }
    assert_eq!(notes(&database).await, ["staged"]);
}
