//! Several nodes on one PostgreSQL database.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tidings_activity::{Activity, ActivityType, DeliveryMode};
use tidings_bot::{
    AdapterBuilder, Bot, BotState, DeduplicationLimits, Error, Result, Router, Service, TestAdapter, Text,
    TurnContext, TurnResponse,
};
use tidings_store::test_postgres::TestPostgres;
use tidings_store::{Clock, Database, DatabaseOptions, ManualClock};

use crate::support::{Door, Life, Log, NOTES, Note, notes};

/// After how long the tests' nodes take over; they renew what they hold three times as often.
const TAKE_OVER_AFTER: Duration = Duration::from_secs(3600);

/// One database for several nodes.
struct Cluster {
    options: DatabaseOptions,
    door: Door,
    log: Log,
}

impl Cluster {
    fn new() -> Self {
        let options = TestPostgres::shared().options();
        Self {
            options: options.component(NOTES).component(tidings_bot::MIGRATIONS),
            door: Door::default(),
            log: Log::default(),
        }
    }

    /// A node, and its clock.
    fn node(
        &self,
        bot: impl Bot,
        set_up: impl FnOnce(AdapterBuilder) -> AdapterBuilder,
    ) -> (Life, ManualClock) {
        let database = Database::open(self.options.clone()).unwrap();
        let clock = ManualClock::new(Timestamp::now());
        let storage = Arc::new(database.clone());
        let user = TestAdapter::builder(bot)
            .set_up(|adapter| {
                let adapter = adapter
                    .storage(storage)
                    .clock(Arc::new(clock.clone()))
                    .service(self.door.clone())
                    .service(self.log.clone())
                    .take_over_after(TAKE_OVER_AFTER);
                set_up(adapter)
            })
            .build();
        (Life { database, user }, clock)
    }

    /// A node whose turns are all slow, unless they are over at once.
    fn slow_node(&self) -> (Life, ManualClock) {
        let bot = Router::new().otherwise(slow).on_turn_error(apologise);
        self.node(bot, |adapter| adapter.slow_turn_after(Duration::ZERO))
    }
}

fn message(id: &str) -> Activity {
    Activity::message(id).with_id(id)
}

async fn apologise(turn: &mut TurnContext, log: Service<Log>, error: Error) -> Result<()> {
    log.add(format!("failed: {error}"));
    turn.say("sorry").await
}

/// Says that it began, waits at the door, then leaves a note; `fail` fails.
async fn slow(turn: &mut TurnContext, door: Service<Door>, log: Service<Log>, text: Text) -> Result<()> {
    log.add(format!("began {text}"));
    door.pass().await;
    if text.0 == "fail" {
        return Err(Error::msg("as told"));
    }
    turn.stage(Note("noted"));
    turn.say("done").await
}

/// Counts in the conversation's state, leaves a note, and tells the count.
async fn count(turn: &mut TurnContext, door: Service<Door>, log: Service<Log>) -> Result<()> {
    let visits = BotState::conversation().property::<u32>("visits");
    let count = visits.get(turn).await?.unwrap_or(0) + 1;
    visits.set(turn, &count).await?;
    turn.stage(Note("noted"));
    log.add("counted");
    door.pass().await;
    turn.say(format!("{count}")).await
}

async fn how_many(turn: &mut TurnContext) -> Result<()> {
    let count = BotState::conversation()
        .property::<u32>("visits")
        .get(turn)
        .await?;
    turn.say(count.unwrap_or(0).to_string()).await
}

/// Lets time pass on a clock until another node may take over.
fn expire(clock: &ManualClock) {
    clock.advance(SignedDuration::try_from(TAKE_OVER_AFTER).unwrap());
}

#[tokio::test]
async fn of_two_turns_of_one_activity_the_first_is_kept_and_answers_for_both() {
    let cluster = Cluster::new();
    let bot = || {
        Router::new()
            .message("how many", how_many)
            .otherwise(count)
            .on_turn_error(apologise)
    };
    let ((one, _), (two, _)) = (
        cluster.node(bot(), |adapter| adapter),
        cluster.node(bot(), |adapter| adapter),
    );
    let asked = || message("1").with_delivery_mode(DeliveryMode::ExpectReplies);
    let (first, second) = tokio::join!(
        async { tokio::join!(one.user.deliver(asked()), two.user.deliver(asked())) },
        async {
            cluster.door.someone_is_there().await;
            cluster.door.someone_is_there().await;
            cluster.door.open();
            cluster.door.open();
        }
    )
    .0;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first, second);
    assert!(first.body.unwrap().get().contains("\"1\""));
    assert_eq!(notes(&one.database).await, ["noted"]);
    assert_eq!(one.rows("bot_turns").await, 1);
    assert_eq!(cluster.log.take(), ["counted", "counted"], "nobody apologised");
    one.user.send("how many").await.unwrap().assert_reply("1");
}

#[tokio::test]
async fn an_activity_that_had_its_turn_on_one_node_has_none_on_another() {
    async fn tea(turn: &mut TurnContext) -> Result<()> {
        turn.respond_invoke(418, Some("a teapot"))
    }
    async fn never(_: &mut TurnContext) -> Result<()> {
        panic!("it has had its turn")
    }
    let cluster = Cluster::new();
    let (one, _) = cluster.node(Router::new().invoke("tea", tea), |adapter| adapter);
    let (two, _) = cluster.node(Router::new().otherwise(never).invoke("tea", never), |adapter| {
        adapter
    });
    let invoke = || Activity::new(ActivityType::Invoke).with_name("tea").with_id("1");
    let answer = one.user.deliver(invoke()).await.unwrap();
    assert_eq!((answer.status, answer.body.is_some()), (418, true));
    assert_eq!(two.user.deliver(invoke()).await.unwrap(), answer);
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_although_its_row_is_there() {
    let cluster = Cluster::new();
    let mut limits = DeduplicationLimits::default();
    limits.age = Duration::from_secs(60);
    let echo = async |turn: &mut TurnContext| turn.say("ran").await;
    let (node, clock) = cluster.node(Router::new().otherwise(echo), |adapter| {
        adapter.deduplication(Some(limits))
    });
    for (seconds, runs) in [(0, true), (59, false), (1, true), (59, false)] {
        clock.advance(SignedDuration::from_secs(seconds));
        let heard = node.user.send(message("1")).await.unwrap();
        assert_eq!(!heard.texts().is_empty(), runs, "{}", clock.now());
    }
    assert_eq!(node.rows("bot_turns").await, 1);
}

#[tokio::test]
async fn an_acknowledged_activity_is_its_nodes_own_until_that_gives_no_sign_of_life() {
    let cluster = Cluster::new();
    let (one, _) = cluster.slow_node();
    let (two, clock) = cluster.slow_node();
    assert_eq!(
        one.user.deliver(message("1")).await.unwrap(),
        TurnResponse::accepted()
    );
    cluster.door.someone_is_there().await;
    // Another node knows of it, and leaves it where it is.
    assert_eq!(
        two.user.deliver(message("1")).await.unwrap(),
        TurnResponse::accepted()
    );
    assert_eq!(two.user.adapter().resume().await.unwrap(), 0);
    assert_eq!(cluster.log.take(), ["began 1"]);
    expire(&clock);
    assert_eq!(two.user.adapter().resume().await.unwrap(), 1);
    cluster.door.someone_is_there().await;
    assert_eq!(cluster.log.take(), ["began 1"]);
    // The first one was only slow. Whoever is through first is kept, and the other keeps nothing.
    cluster.door.open();
    cluster.door.open();
    one.user.adapter().shutdown().await;
    two.user.adapter().shutdown().await;
    assert_eq!(notes(&one.database).await, ["noted"]);
    assert_eq!(one.acknowledged_and_over().await, (0, 1));
    assert!(cluster.log.take().is_empty(), "nobody apologised");
    assert_eq!(two.user.adapter().resume().await.unwrap(), 0);
}

#[tokio::test]
async fn a_node_that_lost_an_activity_and_fails_does_not_end_it() {
    let cluster = Cluster::new();
    let fails = Door::default();
    let (one, _) = cluster.node(
        Router::new().otherwise(async |_: &mut TurnContext, fails: Service<Door>| {
            fails.pass().await;
            Err::<(), _>(Error::msg("as told"))
        }),
        |adapter| adapter.service(fails.clone()).slow_turn_after(Duration::ZERO),
    );
    let (two, clock) = cluster.slow_node();
    assert_eq!(one.user.deliver(message("1")).await.unwrap().status, 202);
    fails.someone_is_there().await;
    expire(&clock);
    assert_eq!(two.user.adapter().resume().await.unwrap(), 1);
    cluster.door.someone_is_there().await;
    fails.open();
    one.user.adapter().shutdown().await;
    assert_eq!(two.acknowledged_and_over().await, (1, 0));
    cluster.door.open();
    two.user.adapter().shutdown().await;
    assert_eq!(notes(&two.database).await, ["noted"]);
    assert_eq!(two.acknowledged_and_over().await, (0, 1));
}

#[tokio::test]
async fn a_node_that_ends_leaves_its_activities_to_the_others_at_once_and_in_order() {
    let cluster = Cluster::new();
    let (one, _) = cluster.slow_node();
    for id in ["1", "2", "3"] {
        assert_eq!(one.user.deliver(message(id)).await.unwrap().status, 202);
    }
    cluster.door.someone_is_there().await;
    one.user.adapter().put_down().await;
    one.database.close().await;
    assert_eq!(cluster.log.take(), ["began 1"]);
    let bot = Router::new().otherwise(async |turn: &mut TurnContext, log: Service<Log>, text: Text| {
        log.add(text.0);
        turn.say("done").await
    });
    let (two, _) = cluster.node(bot, |adapter| adapter);
    assert_eq!(two.user.adapter().resume().await.unwrap(), 3);
    two.user.adapter().shutdown().await;
    assert_eq!(cluster.log.take(), ["1", "2", "3"]);
    assert_eq!(two.acknowledged_and_over().await, (0, 3));
}

#[tokio::test]
async fn a_living_node_takes_up_what_a_dead_one_left_without_being_asked_again() {
    let cluster = Cluster::new();
    let soon = Duration::from_millis(30);
    let bot = Router::new().otherwise(slow);
    let (two, _) = cluster.node(bot, |adapter| adapter.take_over_after(soon));
    assert_eq!(two.user.adapter().resume().await.unwrap(), 0);
    let (one, _) = cluster.slow_node();
    assert_eq!(one.user.deliver(message("1")).await.unwrap().status, 202);
    cluster.door.someone_is_there().await;
    one.user.adapter().put_down().await;
    cluster.door.someone_is_there().await;
    assert_eq!(cluster.log.take(), ["began 1", "began 1"]);
    cluster.door.open();
    cluster.door.open();
    assert_eq!(two.user.next().await.text.as_deref(), Some("done"));
    two.user.adapter().shutdown().await;
    one.user.adapter().shutdown().await;
    assert_eq!(notes(&two.database).await, ["noted"]);
    assert_eq!(two.acknowledged_and_over().await, (0, 1));
}
