use tidings_activity::{Activity, ActivityType, Attachment};
use tidings_bot::{
    Capture, CaptureError, Captures, EventValue, Result, Router, TestAdapter, Text, TurnContext,
};

async fn pattern_run(turn: &mut TurnContext) -> Result<()> {
    turn.say("run").await
}

async fn done(turn: &mut TurnContext, captures: Captures) -> Result<()> {
    turn.say(format!("done {}", captures.get("job").unwrap())).await
}

async fn move_it(turn: &mut TurnContext, from: Capture<String>, to: Capture<u32>) -> Result<()> {
    turn.say(format!("{} -> {}", from.0, to.0)).await
}

async fn otherwise(turn: &mut TurnContext, Text(text): Text) -> Result<()> {
    turn.say(format!("otherwise {text:?}")).await
}

fn router() -> Router {
    Router::new()
        .message(["run", "run job"], pattern_run)
        .message("done {job}", done)
        .message("done twice", async |turn: &mut TurnContext| {
            turn.say("shadowed").await
        })
        .message("move {from} to {to}", move_it)
        .otherwise(otherwise)
}

#[tokio::test]
async fn messages_go_to_the_first_pattern_that_fits() {
    let user = TestAdapter::new(router());
    for (text, reply) in [
        ("run", "run"),
        ("  RUN \t Job\n", "run"),
        ("Run", "run"),
        ("done 7", "done 7"),
        ("DONE aBc", "done aBc"),
        ("done twice", "done twice"),
        ("done", "otherwise \"done\""),
        ("done 1 2", "otherwise \"done 1 2\""),
        ("runs", "otherwise \"runs\""),
        (" keep   My  spelling ", "otherwise \"keep   My  spelling\""),
        ("move A TO 5", "A -> 5"),
        ("", "otherwise \"\""),
        ("зачем", "otherwise \"зачем\""),
    ] {
        user.send(text).await.unwrap().assert_reply(reply);
    }
}

#[tokio::test]
async fn an_exact_text_registered_earlier_wins_over_a_later_pattern() {
    let bot = Router::new()
        .message("done all", async |turn: &mut TurnContext| turn.say("all").await)
        .message("done {job}", done);
    let user = TestAdapter::new(bot);
    user.send("Done ALL").await.unwrap().assert_reply("all");
    user.send("done 1").await.unwrap().assert_reply("done 1");
}

#[tokio::test]
async fn a_message_without_text_goes_to_otherwise() {
    let user = TestAdapter::new(router());
    user.send(Activity::new(ActivityType::Message))
        .await
        .unwrap()
        .assert_reply("otherwise \"\"");
    let card = Activity::new(ActivityType::Message).with_attachment(Attachment::default());
    user.send(card).await.unwrap().assert_reply("otherwise \"\"");
}

#[tokio::test]
async fn the_mention_of_the_bot_is_not_part_of_what_the_user_wrote() {
    let user = TestAdapter::new(router());
    let mention = r#"{"type":"message","text":"<at>Bot</at> done 9","entities":
        [{"type":"mention","mentioned":{"id":"bot","name":"Bot"},"text":"<at>Bot</at>"}]}"#;
    user.send(Activity::from_slice(mention.as_bytes()).unwrap())
        .await
        .unwrap()
        .assert_reply("done 9");
}

#[tokio::test]
async fn a_capture_that_does_not_parse_is_the_handlers_to_answer_or_fails_the_turn() {
    async fn strict(turn: &mut TurnContext, Capture(number): Capture<u32>) -> Result<()> {
        turn.say(format!("strict {number}")).await
    }
    async fn lenient(turn: &mut TurnContext, number: Option<Capture<u32>>) -> Result<()> {
        turn.say(format!("lenient {:?}", number.map(|number| number.0)))
            .await
    }
    async fn curious(turn: &mut TurnContext, number: Result<Capture<u32>>) -> Result<()> {
        turn.say(number.unwrap_err().to_string()).await
    }
    async fn explain(turn: &mut TurnContext, error: tidings_bot::Error) -> Result<()> {
        let capture = error.downcast_ref::<CaptureError>().unwrap();
        turn.say(format!(
            "{:?} {:?}",
            capture.name.as_deref(),
            capture.text.as_deref()
        ))
        .await
    }
    let bot = Router::new()
        .message("strict {n}", strict)
        .message(["lenient {n}", "lenient"], lenient)
        .message("curious {n}", curious)
        .message("none", strict)
        .on_turn_error(explain);
    let user = TestAdapter::new(bot);
    user.send("strict 7").await.unwrap().assert_reply("strict 7");
    user.send("strict x")
        .await
        .unwrap()
        .assert_reply("Some(\"n\") Some(\"x\")");
    user.send("none").await.unwrap().assert_reply("None None");
    user.send("lenient 7")
        .await
        .unwrap()
        .assert_reply("lenient Some(7)");
    user.send("lenient x").await.unwrap().assert_reply("lenient None");
    user.send("lenient").await.unwrap().assert_reply("lenient None");
    user.send("curious x")
        .await
        .unwrap()
        .assert_reply("{n} = \"x\": invalid digit found in string");
}

#[tokio::test]
async fn events_and_invokes_go_by_their_exact_name() {
    async fn price(turn: &mut TurnContext, EventValue(price): EventValue<Option<u32>>) -> Result<()> {
        turn.say(format!("{price:?}")).await
    }
    async fn sum(turn: &mut TurnContext, EventValue(numbers): EventValue<Vec<u32>>) -> Result<()> {
        turn.respond_invoke(200, Some(&numbers.iter().sum::<u32>()))
    }
    async fn any_event(turn: &mut TurnContext) -> Result<()> {
        turn.say("any event").await
    }
    let bot = Router::new()
        .event(["price", "cost"], price)
        .invoke("sum", sum)
        .activity(ActivityType::Event, any_event)
        .conversation_update(async |turn: &mut TurnContext| turn.say("welcome").await);
    let user = TestAdapter::new(bot);
    user.event("price", &5).await.unwrap().assert_reply("Some(5)");
    user.event("cost", &()).await.unwrap().assert_reply("None");
    user.send(Activity::event("price"))
        .await
        .unwrap()
        .assert_reply("None");
    user.event("Price", &5).await.unwrap().assert_reply("any event");
    let answer = user.invoke("sum", &[1, 2]).await.unwrap();
    assert_eq!((answer.status, answer.body.unwrap().get()), (200, "3"));
    assert_eq!(user.invoke("product", &[1, 2]).await.unwrap().status, 501);
    user.send(Activity::new(ActivityType::ConversationUpdate))
        .await
        .unwrap()
        .assert_reply("welcome");
}

#[tokio::test]
async fn a_value_of_another_shape_names_the_problem() {
    async fn price(_turn: &mut TurnContext, _price: EventValue<u32>) -> Result<()> {
        panic!("the extractor must fail first")
    }
    let error = TestAdapter::new(Router::new().event("price", price))
        .event("price", "x")
        .await
        .unwrap_err();
    assert_eq!(error.status(), 500);
    assert!(error.to_string().contains("value"), "{error}");
}

#[tokio::test]
async fn other_activities_are_taken_silently() {
    let user = TestAdapter::new(router());
    for kind in [
        "typing",
        "endOfConversation",
        "messageReaction",
        "installationUpdate",
        "someFutureType",
        "event",
    ] {
        user.send(Activity::new(kind)).await.unwrap().assert_silent();
    }
}

#[test]
#[should_panic(expected = "unfinished")]
fn a_bad_pattern_is_refused_when_the_router_is_built() {
    let _ = Router::new().message("done {job", pattern_run);
}
