use tidings_bot::{Error, FromTurn, Handler, Result, Router, Service, TestAdapter, Text, TurnContext};

struct Nth(u32);

impl FromTurn for Nth {
    async fn from_turn(turn: &mut TurnContext) -> Result<Self> {
        let next = turn.get::<u32>().copied().unwrap_or_default() + 1;
        turn.insert(next);
        Ok(Self(next))
    }
}

async fn none(turn: &mut TurnContext) -> Result<()> {
    turn.say("0").await
}

async fn one(turn: &mut TurnContext, a: Nth) -> Result<()> {
    turn.say(format!("{}", a.0)).await
}

async fn six(turn: &mut TurnContext, a: Nth, b: Nth, c: Nth, d: Nth, e: Nth, f: Nth) -> Result<()> {
    turn.say([a, b, c, d, e, f].map(|nth| nth.0.to_string()).join(" "))
        .await
}

async fn holds_borrows(turn: &mut TurnContext, text: Text) -> Result<()> {
    // A handler may keep a borrow of the turn's parts across its own awaits.
    let words: Vec<&str> = text.split(' ').collect();
    for word in words {
        turn.say(word).await?;
    }
    Ok(())
}

fn is_handler<Args>(_handler: &impl Handler<Args>) {}

#[tokio::test]
async fn functions_with_none_to_six_extractors_are_handlers_and_extractors_run_in_order() {
    let user = TestAdapter::new(
        Router::new()
            .message("none", none)
            .message("one", one)
            .message("six", six),
    );
    user.send("none").await.unwrap().assert_reply("0");
    user.send("one").await.unwrap().assert_reply("1");
    user.send("six").await.unwrap().assert_reply("1 2 3 4 5 6");
}

#[tokio::test]
async fn async_closures_are_handlers_too() {
    let closure = async |turn: &mut TurnContext, text: Text| turn.say(format!("closure {text}")).await;
    is_handler(&closure);
    let user = TestAdapter::new(Router::new().otherwise(closure).message("a b", holds_borrows));
    user.send("x").await.unwrap().assert_reply("closure x");
    user.send("a b").await.unwrap().assert_replies(&["a", "b"]);
}

#[tokio::test]
async fn a_service_that_is_not_registered_is_named() {
    #[derive(Clone)]
    struct Missing;
    async fn wants(_turn: &mut TurnContext, _missing: Service<Missing>) -> Result<()> {
        Ok(())
    }
    let error = TestAdapter::new(Router::new().otherwise(wants))
        .send("x")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Missing"), "{error}");
}

#[tokio::test]
async fn the_error_is_an_extractor_only_where_there_is_one() {
    async fn wants(turn: &mut TurnContext, error: Result<Error>) -> Result<()> {
        turn.say(error.err().unwrap().to_string()).await
    }
    let user = TestAdapter::new(Router::new().otherwise(wants));
    user.send("x")
        .await
        .unwrap()
        .assert_reply("the extractor Error works only inside on_turn_error");
}
