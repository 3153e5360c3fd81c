use std::time::Duration;

use tidings_activity::{Activity, ActivityType, DeliveryMode};
use tidings_bot::{BotState, Error, ProcessError, Result, Router, TestAdapter, TurnContext, TurnFailure};
use tidings_connector::SendError;

use crate::support::{Door, Log};

async fn fails(turn: &mut TurnContext) -> Result<()> {
    turn.say("before").await?;
    Err(Error::msg("it broke"))
}

async fn panics(_turn: &mut TurnContext) -> Result<()> {
    panic!("at the disco")
}

async fn hangs(_turn: &mut TurnContext) -> Result<()> {
    std::future::pending().await
}

async fn apologise(turn: &mut TurnContext, error: Error) -> Result<()> {
    turn.say(format!("sorry: {error}")).await
}

fn router() -> Router {
    Router::new()
        .message("fail", fails)
        .message("panic", panics)
        .message("hang", hangs)
        .message("fine", async |turn: &mut TurnContext| turn.say("fine").await)
        .activity(ActivityType::Invoke, fails)
}

#[tokio::test]
async fn without_on_turn_error_a_failure_is_500_with_the_reason() {
    let user = TestAdapter::new(router());
    let error = user.send("fail").await.unwrap_err();
    assert!(matches!(&error, ProcessError::Turn(error) if error.to_string() == "it broke"));
    assert_eq!((error.status(), error.code()), (500, "BotError"));
    assert_eq!(user.heard().texts(), ["before"], "what was said was said at once");
    user.send("fine").await.unwrap().assert_reply("fine");
}

#[tokio::test]
async fn on_turn_error_that_returns_ok_settles_the_failure() {
    let user = TestAdapter::new(router().on_turn_error(apologise));
    user.send("fail")
        .await
        .unwrap()
        .assert_replies(&["before", "sorry: it broke"]);
    let activity = Activity::message("fail").with_delivery_mode(DeliveryMode::ExpectReplies);
    user.send(activity)
        .await
        .unwrap()
        .assert_replies(&["before", "sorry: it broke"]);
}

#[tokio::test]
async fn an_apology_is_no_answer_to_an_invoke() {
    let user = TestAdapter::new(router().on_turn_error(apologise));
    assert_eq!(user.invoke("x", &()).await.unwrap_err().status(), 500);
    let user = TestAdapter::new(
        router().on_turn_error(async |turn: &mut TurnContext| turn.respond_invoke(418, None::<&()>)),
    );
    assert_eq!(user.invoke("x", &()).await.unwrap().status, 418);
}

#[tokio::test]
async fn on_turn_error_that_fails_itself_leaves_the_first_error() {
    let fails = async |_turn: &mut TurnContext| -> Result<()> { Err(Error::msg("second")) };
    for bot in [router().on_turn_error(fails), router().on_turn_error(panics)] {
        let error = TestAdapter::new(bot).send("fail").await.unwrap_err();
        assert!(error.to_string().contains("it broke"), "{error}");
    }
}

#[tokio::test]
async fn the_failure_is_traced_to_the_emulator_before_the_apology() {
    let user = TestAdapter::builder(router().on_turn_error(apologise))
        .channel_id("emulator")
        .build();
    let heard = user.send("fail").await.unwrap();
    assert_eq!(heard.texts(), ["before", "sorry: it broke"]);
    let trace = &heard[1];
    assert_eq!(trace.kind, ActivityType::Trace);
    assert_eq!(trace.name.as_deref(), Some("OnTurnError Trace"));
    assert_eq!(trace.label.as_deref(), Some("TurnError"));
    assert_eq!(
        trace.value_type.as_deref(),
        Some("https://www.botframework.com/schemas/error")
    );
    assert_eq!(trace.value.as_ref().unwrap().get(), "\"it broke\"");
}

#[tokio::test]
async fn a_panic_is_500_the_bot_may_apologise_and_the_process_lives() {
    let user = TestAdapter::new(router().on_turn_error(apologise));
    let error = user.send("panic").await.unwrap_err();
    assert!(matches!(error, ProcessError::Panicked));
    assert_eq!(error.status(), 500);
    assert!(
        !error.to_string().contains("disco"),
        "what a panic says is not for strangers"
    );
    assert_eq!(user.heard().texts(), ["sorry: the turn panicked: at the disco"]);
    user.send("fine").await.unwrap().assert_reply("fine");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_cut_off_and_frees_its_conversation() {
    let limit = Duration::from_secs(7);
    let user = TestAdapter::builder(router().on_turn_error(apologise))
        .set_up(|a| a.turn_limit(limit))
        .build();
    let started = tokio::time::Instant::now();
    let (hung, fine) = tokio::join!(user.send("hang"), user.deliver("fine"));
    assert_eq!(started.elapsed(), limit);
    let error = hung.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { limit: said } if said == limit));
    assert_eq!(error.status(), 500);
    assert_eq!(fine.unwrap().status, 200);
    assert_eq!(
        user.heard().texts(),
        ["sorry: the turn took longer than 7 s and was ended", "fine"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hanging_on_turn_error_is_cut_off_too() {
    let user = TestAdapter::new(router().on_turn_error(hangs));
    let (failed, fine) = tokio::join!(user.deliver("fail"), user.deliver("fine"));
    assert!(failed.unwrap_err().to_string().contains("it broke"));
    assert_eq!(fine.unwrap().status, 200);
}

#[tokio::test]
async fn the_error_keeps_its_type_on_its_way() {
    let user = TestAdapter::new(router());
    user.channel().refuse_next(403);
    let ProcessError::Turn(error) = user.send("fine").await.unwrap_err() else {
        panic!("the turn failed")
    };
    assert_eq!(error.downcast_ref::<SendError>().unwrap().status, Some(403));
}

#[tokio::test]
async fn what_on_turn_error_changes_is_kept_and_what_the_turn_changed_is_not() {
    fn visits() -> tidings_bot::StatePropertyAccessor<u32> {
        BotState::conversation().property("visits")
    }
    fn apologies() -> tidings_bot::StatePropertyAccessor<u32> {
        BotState::conversation().property("apologies")
    }
    async fn counts(turn: &mut TurnContext) -> Result<()> {
        visits().set(turn, &1).await?;
        Err(Error::msg("it broke"))
    }
    async fn sorry(turn: &mut TurnContext) -> Result<()> {
        assert_eq!(
            visits().get(turn).await?,
            None,
            "the turn's changes are gone already"
        );
        let so_far = apologies().get_or_default(turn).await?;
        apologies().set(turn, &(so_far + 1)).await
    }
    async fn show(turn: &mut TurnContext) -> Result<()> {
        let text = format!(
            "{:?} {:?}",
            visits().get(turn).await?,
            apologies().get(turn).await?
        );
        turn.say(text).await
    }
    let user = TestAdapter::new(
        Router::new()
            .otherwise(counts)
            .message("show", show)
            .on_turn_error(sorry),
    );
    user.send("x").await.unwrap().assert_silent();
    user.send("x").await.unwrap().assert_silent();
    user.send("show").await.unwrap().assert_reply("None Some(2)");
}

#[tokio::test]
async fn continue_conversation_gets_the_error_also_when_it_was_settled() {
    let user = TestAdapter::new(router().on_turn_error(apologise));
    user.send("fine").await.unwrap().assert_reply("fine");
    let reference = user.complete(Activity::message("x")).reference();
    let adapter = user.adapter();
    let failed = adapter
        .continue_conversation(&reference, fails)
        .await
        .unwrap_err();
    assert_eq!(failed.to_string(), "it broke");
    assert_eq!(user.heard().texts(), ["before", "sorry: it broke"]);
    let panicked = adapter
        .continue_conversation(&reference, panics)
        .await
        .unwrap_err();
    assert!(
        matches!(panicked.downcast_ref(), Some(TurnFailure::Panicked { message }) if message == "at the disco")
    );
}

#[tokio::test]
async fn a_caller_that_hangs_up_does_not_cut_the_turn_in_half() {
    let door = Door::default();
    let log = Log::default();
    async fn slow(
        _turn: &mut TurnContext,
        door: tidings_bot::Service<Door>,
        log: tidings_bot::Service<Log>,
    ) -> Result<()> {
        door.pass().await;
        log.add("done");
        Ok(())
    }
    let user = TestAdapter::builder(Router::new().otherwise(slow))
        .set_up(|adapter| adapter.service(door.clone()).service(log.clone()))
        .build();
    let caller = tokio::spawn({
        let user = user.clone();
        async move { user.send("x").await }
    });
    door.someone_is_there().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    door.open();
    user.adapter().shutdown().await;
    assert_eq!(log.take(), ["done"]);
}
