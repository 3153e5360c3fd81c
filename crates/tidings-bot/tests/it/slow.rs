//! Turns that are acknowledged before they are over, and what a restart makes of them.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use tidings_activity::{Activity, ActivityType, DeliveryMode};
use tidings_bot::{
    Error, Identity, Inbound, Result, Router, Service, TestAdapter, Text, TurnContext, TurnResponse,
};

use crate::support::{Door, Home, Life, Log, Note, notes, settle};

async fn echo(turn: &mut TurnContext, text: Text) -> Result<()> {
    turn.say(text.0).await
}

/// Waits at the door, then says that it is through.
async fn slow(turn: &mut TurnContext, door: Service<Door>, log: Service<Log>, text: Text) -> Result<()> {
    log.add(format!("began {text}"));
    door.pass().await;
    turn.say(format!("done {text}")).await
}

fn message(id: &str) -> Activity {
    Activity::message(id).with_id(id)
}

/// A bot with a slow and a quick handler, in which every turn that is not over at once is slow.
fn start(home: &Home, door: &Door, log: &Log) -> Life {
    let bot = Router::new()
        .otherwise(slow)
        .invoke("slow", slow)
        .message("quick", echo);
    home.start(bot, |adapter| {
        let adapter = adapter.service(door.clone()).service(log.clone());
        adapter.slow_turn_after(Duration::ZERO)
    })
}

/// Runs one life of the process, which ends as if it were killed: no task gets any further.
fn killed<T>(life: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let result = runtime.block_on(life);
    // Waits for the tasks to be dropped, and with them the database.
    drop(runtime);
    result
}

#[tokio::test]
async fn a_slow_turn_is_acknowledged_once_its_activity_is_stored_and_goes_on() {
    let (home, door, log) = (Home::new(), Door::default(), Log::default());
    let life = start(&home, &door, &log);
    assert_eq!(
        life.user.deliver(message("1")).await.unwrap(),
        TurnResponse::accepted()
    );
    assert_eq!(life.rows("bot_acknowledged").await, 1);
    assert_eq!(life.rows("bot_turns").await, 0);
    // A redelivery joins it, and is told what the first was told.
    assert_eq!(
        life.user.deliver(message("1")).await.unwrap(),
        TurnResponse::accepted()
    );
    door.open();
    assert_eq!(life.user.next().await.text.as_deref(), Some("done 1"));
    life.user.adapter().shutdown().await;
    assert_eq!(life.acknowledged_and_over().await, (0, 1));
    life.end().await;
    // Afterwards too, and nothing is left to resume.
    let life = start(&home, &door, &log);
    assert_eq!(life.user.adapter().resume().await.unwrap(), 0);
    assert_eq!(
        life.user.deliver(message("1")).await.unwrap(),
        TurnResponse::accepted()
    );
    assert_eq!(log.take(), ["began 1"]);
}

#[tokio::test]
async fn waiting_behind_other_turns_is_slow_too() {
    let (home, door, log) = (Home::new(), Door::default(), Log::default());
    let life = start(&home, &door, &log);
    for id in ["1", "quick", "3"] {
        assert_eq!(life.user.deliver(message(id)).await.unwrap().status, 202, "{id}");
    }
    assert_eq!(log.take(), ["began 1"]);
    for heard in ["done 1", "quick", "done 3"] {
        door.open();
        assert_eq!(life.user.next().await.text.as_deref(), Some(heard));
    }
    life.user.adapter().shutdown().await;
    assert_eq!(life.acknowledged_and_over().await, (0, 3));
}

#[tokio::test]
async fn whoever_waits_for_an_answer_in_the_response_is_never_acknowledged() {
    for activity in [
        Activity::new(ActivityType::Invoke).with_name("slow").with_id("1"),
        message("1").with_delivery_mode(DeliveryMode::ExpectReplies),
    ] {
        let (home, door, log) = (Home::new(), Door::default(), Log::default());
        let life = start(&home, &door, &log);
        let turn = life.user.deliver(activity);
        let meanwhile = async {
            door.someone_is_there().await;
            // One that may be acknowledged is, in another conversation and as long as the first one waits.
            let other = life.user.conversation("other").deliver(message("2")).await;
            assert_eq!(other.unwrap().status, 202);
            assert_eq!(life.rows("bot_acknowledged").await, 1);
            (0..2).for_each(|_| door.open());
        };
        let (answer, ()) = tokio::join!(turn, meanwhile);
        assert_ne!(answer.unwrap().status, 202);
    }
}

#[tokio::test]
async fn without_a_database_nothing_is_acknowledged() {
    let door = Door::default();
    let user = TestAdapter::builder(Router::new().otherwise(slow))
        .set_up(|adapter| {
            let adapter = adapter.service(door.clone()).service(Log::default());
            adapter.slow_turn_after(Duration::ZERO)
        })
        .build();
    let opening = async {
        door.someone_is_there().await;
        settle().await;
        door.open();
    };
    let (answer, ()) = tokio::join!(user.deliver(message("1")), opening);
    assert_eq!(answer.unwrap(), TurnResponse::ok());
}

#[tokio::test(start_paused = true)]
async fn slow_is_five_seconds_unless_set() {
    async fn sleeps(_: &mut TurnContext, text: Text) -> Result<()> {
        let ms = text.0.parse()?;
        // Time itself, the runtime's own: how long a turn takes is what is tested.
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    }
    let home = Home::new();
    let life = home.start(Router::new().otherwise(sleeps), |adapter| adapter);
    for (ms, status) in [("4999", 200), ("5001", 202)] {
        assert_eq!(
            life.user.deliver(message(ms)).await.unwrap().status,
            status,
            "{ms}"
        );
    }
    life.end().await;
    let three = |adapter: tidings_bot::AdapterBuilder| adapter.slow_turn_after(Duration::from_secs(3));
    let life = home.start(Router::new().otherwise(sleeps), three);
    for (ms, status) in [("2999", 200), ("3001", 202)] {
        assert_eq!(
            life.user.deliver(message(ms)).await.unwrap().status,
            status,
            "{ms}"
        );
    }
}

#[tokio::test]
async fn an_acknowledged_turn_that_fails_is_over() {
    async fn fails(turn: &mut TurnContext, door: Service<Door>) -> Result<()> {
        door.pass().await;
        turn.stage(Note("lost"));
        Err(Error::msg("it broke"))
    }
    async fn apologise(turn: &mut TurnContext) -> Result<()> {
        turn.stage(Note("apology"));
        turn.say("sorry").await
    }
    let silent = || Router::new().otherwise(fails);
    for (settles, left) in [(false, [].as_slice()), (true, &["apology"])] {
        let bot = || match settles {
            false => silent(),
            true => silent().on_turn_error(apologise),
        };
        let (home, door) = (Home::new(), Door::default());
        let life = home.start(bot(), |adapter| {
            adapter.service(door.clone()).slow_turn_after(Duration::ZERO)
        });
        assert_eq!(life.user.deliver(message("1")).await.unwrap().status, 202);
        door.someone_is_there().await;
        door.open();
        life.user.adapter().shutdown().await;
        assert_eq!(notes(&life.database).await, left);
        assert_eq!(life.rows("bot_acknowledged").await, 0);
        life.end().await;

        let life = home.start(bot(), |adapter| adapter.service(door.clone()));
        assert_eq!(life.user.adapter().resume().await.unwrap(), 0);
        assert_eq!(life.user.deliver(message("1")).await.unwrap().status, 202);
        assert!(!door.is_somebody_there(), "it did not run again");
    }
}

#[test]
fn a_restart_resumes_in_the_order_of_arrival_with_the_same_identity() {
    async fn who(turn: &mut TurnContext, door: Service<Door>) -> Result<()> {
        door.pass().await;
        let identity = turn.identity();
        let who = format!(
            "{:?}: {:?} {:?} {:?}",
            turn.activity().text,
            identity.claim("aud"),
            identity.audience(),
            turn.activity().caller_id
        );
        turn.say(who).await
    }
    let home = Home::new();
    let bot = || Router::new().otherwise(who);
    let set_up = |door: &Door| {
        let door = door.clone();
        |adapter: tidings_bot::AdapterBuilder| adapter.service(door).slow_turn_after(Duration::ZERO)
    };
    killed(async {
        let life = home.start(bot(), set_up(&Door::default()));
        let claims = [("aud", "bot"), ("azp", "parent"), ("ver", "2.0")];
        let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let skill = Identity::verified(claims.into()).with_caller_id("urn:botframework:aadappid:parent");
        for (id, identity) in [
            ("1", skill),
            ("2", Identity::anonymous()),
            ("3", Identity::anonymous()),
        ] {
            // What the wire says of the caller is discarded, also on this way.
            let mut activity = life.user.complete(message(id));
            activity.caller_id = Some("urn:botframework:azure".to_owned());
            let answer = life.user.adapter().process(Inbound { activity, identity }).await;
            assert_eq!(answer.unwrap().status, 202);
        }
        // Another conversation does not wait for this one.
        assert_eq!(
            life.user
                .conversation("ben")
                .deliver(message("4"))
                .await
                .unwrap()
                .status,
            202
        );
    });
    killed(async {
        let door = Door::default();
        let life = home.start(bot(), set_up(&door));
        // Before they are resumed, and while they run.
        assert_eq!(life.user.deliver(message("2")).await.unwrap().status, 202);
        assert_eq!(life.user.adapter().resume().await.unwrap(), 4);
        assert_eq!(life.user.adapter().resume().await.unwrap(), 0, "once");
        assert_eq!(life.user.deliver(message("2")).await.unwrap().status, 202);
        // A new one comes behind them.
        assert_eq!(life.user.deliver(message("5")).await.unwrap().status, 202);
        (0..5).for_each(|_| door.open());
        for text in [
            r#"Some("1"): Some("bot") Some("parent") Some("urn:botframework:aadappid:parent")"#,
            r#"Some("2"): None None None"#,
            r#"Some("3"): None None None"#,
            r#"Some("5"): None None None"#,
        ] {
            assert_eq!(life.user.next().await.text.as_deref(), Some(text));
        }
        assert!(life.user.conversation("ben").next().await.text.is_some());
        life.user.adapter().shutdown().await;
        assert_eq!(life.acknowledged_and_over().await, (0, 5));
    });
}

#[test]
fn a_turn_that_ends_its_process_each_time_is_given_up_after_three_starts() {
    let home = Home::new();
    let (began, begins) = mpsc::channel();
    let bot = || {
        let began = began.clone();
        let deadly = move |_: &mut TurnContext| {
            let began = began.clone();
            async move {
                let _ = began.send(());
                std::future::pending::<Result<()>>().await
            }
        };
        Router::new().otherwise(echo).message("deadly", deadly)
    };
    let slow = |adapter: tidings_bot::AdapterBuilder| adapter.slow_turn_after(Duration::ZERO);
    killed(async {
        let life = home.start(bot(), slow);
        for id in ["deadly", "behind it"] {
            assert_eq!(life.user.deliver(message(id)).await.unwrap().status, 202);
        }
        begins.recv().unwrap();
    });
    for resumed in [2, 2] {
        killed(async {
            let life = home.start(bot(), slow);
            assert_eq!(life.user.adapter().resume().await.unwrap(), resumed);
            begins.recv().unwrap();
        });
    }
    killed(async {
        let life = home.start(bot(), slow);
        assert_eq!(
            life.user.adapter().resume().await.unwrap(),
            1,
            "only the one behind it"
        );
        assert_eq!(life.user.next().await.text.as_deref(), Some("behind it"));
        life.user.adapter().shutdown().await;
        assert_eq!(life.rows("bot_acknowledged").await, 0);
    });
    killed(async {
        let life = home.start(bot(), slow);
        let again = life.user.deliver(message("deadly")).await.unwrap();
        assert_eq!(again, TurnResponse::accepted(), "it is over");
    });
    assert!(begins.try_recv().is_err());
}

#[test]
fn a_turn_that_is_put_down_does_not_count_as_started() {
    let (home, log) = (Home::new(), Log::default());
    for life in 0..5 {
        killed(async {
            let door = Door::default();
            let running = start(&home, &door, &log);
            if life == 0 {
                assert_eq!(running.user.deliver(message("1")).await.unwrap().status, 202);
            } else {
                assert_eq!(running.user.adapter().resume().await.unwrap(), 1, "{life}");
            }
            door.someone_is_there().await;
            running.user.adapter().put_down().await;
        });
    }
    assert_eq!(log.take().len(), 5);
}

#[test]
fn an_activity_without_an_id_is_resumed_too() {
    let (home, log) = (Home::new(), Log::default());
    let nameless = Activity::message("x").with_id("");
    killed(async {
        let life = start(&home, &Door::default(), &log);
        for _ in 0..2 {
            assert_eq!(life.user.deliver(nameless.clone()).await.unwrap().status, 202);
        }
    });
    killed(async {
        let door = Door::default();
        let life = start(&home, &door, &log);
        assert_eq!(life.user.adapter().resume().await.unwrap(), 2);
        for _ in 0..2 {
            door.open();
            assert_eq!(life.user.next().await.text.as_deref(), Some("done x"));
        }
        life.user.adapter().shutdown().await;
        assert_eq!(life.acknowledged_and_over().await, (0, 0));
    });
}

#[tokio::test]
async fn a_caller_that_hung_up_is_joined_and_that_one_is_acknowledged() {
    let (home, door, log) = (Home::new(), Door::default(), Log::default());
    let bot = Router::new().otherwise(slow);
    let life = home.start(bot, |adapter| {
        let adapter = adapter.service(door.clone()).service(log.clone());
        adapter.slow_turn_after(Duration::from_millis(1))
    });
    let user = life.user.clone();
    let first = tokio::spawn(async move { user.deliver(message("1")).await });
    door.someone_is_there().await;
    first.abort();
    assert_eq!(life.user.deliver(message("1")).await.unwrap().status, 202);
    assert_eq!(life.rows("bot_acknowledged").await, 1);
    door.open();
    life.user.adapter().shutdown().await;
    assert_eq!(life.acknowledged_and_over().await, (0, 1));
    assert_eq!(log.take(), ["began 1"]);
}
