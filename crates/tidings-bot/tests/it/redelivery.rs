use std::sync::Arc;

use jiff::SignedDuration;
use tidings_activity::{Activity, ActivityType, DeliveryMode};
use tidings_bot::TurnContext;
use tidings_bot::{
    Admission, Error, Inbound, ProcessError, Result, Router, Service, TestAdapter, Text, TurnFacts, TurnKind,
    TurnObserver, TurnResponse, async_trait,
};
use tidings_store::Batch;

use crate::support::{Door, Log, Note, database, notes};

async fn echo(turn: &mut TurnContext, text: Text) -> Result<()> {
    turn.say(text.0).await
}

fn again(user: &TestAdapter, activity: impl Into<Activity>) -> Activity {
    user.complete(activity.into())
}

#[tokio::test]
async fn a_committed_turn_is_not_run_again() {
    let user = TestAdapter::new(Router::new().otherwise(echo));
    let activity = again(&user, "once");
    user.send(activity.clone()).await.unwrap().assert_reply("once");
    user.send(activity.clone()).await.unwrap().assert_silent();
    assert_eq!(user.deliver(activity.clone()).await.unwrap(), TurnResponse::ok());
    // Another conversation or channel may use the same id.
    let mut elsewhere = activity.clone();
    elsewhere.channel_id = Some("slack".to_owned());
    user.send(elsewhere).await.unwrap().assert_reply("once");
    let ben = user.conversation("ben");
    ben.send(Activity::message("once").with_id(activity.id.unwrap()))
        .await
        .unwrap()
        .assert_reply("once");
}

#[tokio::test]
async fn a_committed_turn_may_run_again_when_it_is_forgotten() {
    let user = TestAdapter::new(Router::new().otherwise(echo));
    let activity = again(&user, "once");
    user.send(activity.clone()).await.unwrap().assert_reply("once");
    user.clock().advance(SignedDuration::from_hours(1));
    user.send(activity).await.unwrap().assert_reply("once");
}

#[tokio::test]
async fn an_activity_without_an_id_is_never_taken_for_another() {
    let user = TestAdapter::new(Router::new().otherwise(echo));
    let mut activity = again(&user, "x");
    activity.id = Some(String::new());
    user.send(activity.clone()).await.unwrap().assert_reply("x");
    user.send(activity.clone()).await.unwrap().assert_reply("x");
}

#[tokio::test]
async fn two_edits_of_one_message_are_two_activities() {
    async fn edited(turn: &mut TurnContext, text: Text) -> Result<()> {
        turn.say(format!("edited: {text}")).await
    }
    let user = TestAdapter::new(
        Router::new()
            .otherwise(echo)
            .activity(ActivityType::MessageUpdate, edited),
    );
    let message = again(&user, "one");
    user.send(message.clone()).await.unwrap().assert_reply("one");
    for text in ["two", "three"] {
        let edit = Activity {
            kind: ActivityType::MessageUpdate,
            ..message.clone()
        }
        .with_text(text);
        user.send(edit)
            .await
            .unwrap()
            .assert_reply(&format!("edited: {text}"));
    }
}

#[tokio::test]
async fn a_failed_turn_may_run_again() {
    async fn fails_once(turn: &mut TurnContext, log: Service<Log>) -> Result<()> {
        let first = log.take().is_empty();
        log.add("ran");
        if first {
            Err(Error::msg("not yet"))
        } else {
            turn.say("now").await
        }
    }
    let build = |bot| {
        TestAdapter::builder(bot)
            .set_up(|adapter| adapter.service(Log::default()))
            .build()
    };
    let user = build(Router::new().otherwise(fails_once));
    let activity = again(&user, "x");
    user.send(activity.clone()).await.unwrap_err();
    user.send(activity.clone()).await.unwrap().assert_reply("now");
    user.send(activity).await.unwrap().assert_silent();
    // Also when the failure was settled by an apology: nothing was committed.
    let user = build(Router::new().otherwise(fails_once).on_turn_error(echo));
    let activity = again(&user, "sorry");
    user.send(activity.clone()).await.unwrap().assert_reply("sorry");
    user.send(activity).await.unwrap().assert_reply("now");
}

#[tokio::test]
async fn a_redelivery_of_a_running_turn_joins_it_and_gets_the_same_response() {
    async fn slow(turn: &mut TurnContext, door: Service<Door>, log: Service<Log>) -> Result<()> {
        log.add("ran");
        door.pass().await;
        turn.respond_invoke(202, Some("result"))
    }
    let (door, log) = (Door::default(), Log::default());
    let user = TestAdapter::builder(Router::new().invoke("slow", slow))
        .set_up(|adapter| adapter.service(door.clone()).service(log.clone()))
        .build();
    let activity = again(&user, Activity::new(ActivityType::Invoke).with_name("slow"));
    let opening = async {
        door.someone_is_there().await;
        door.open();
    };
    let (first, second, third, ()) = tokio::join!(
        user.deliver(activity.clone()),
        user.deliver(activity.clone()),
        user.deliver(activity.clone()),
        opening
    );
    let first = first.unwrap();
    assert_eq!(
        (first.status, first.body.as_ref().unwrap().get()),
        (202, "\"result\"")
    );
    assert_eq!(second.unwrap(), first);
    assert_eq!(third.unwrap(), first);
    assert_eq!(
        user.deliver(activity).await.unwrap(),
        first,
        "and so does one that comes later"
    );
    assert_eq!(log.take(), ["ran"]);
}

#[tokio::test]
async fn whoever_joined_a_turn_that_fails_gets_its_error() {
    async fn slow(_turn: &mut TurnContext, door: Service<Door>) -> Result<()> {
        door.pass().await;
        Err(Error::msg("it broke"))
    }
    let door = Door::default();
    let user = TestAdapter::builder(Router::new().otherwise(slow))
        .set_up(|a| a.service(door.clone()))
        .build();
    let activity = again(&user, "x");
    let opening = async {
        door.someone_is_there().await;
        door.open();
    };
    let (first, second, ()) = tokio::join!(user.deliver(activity.clone()), user.deliver(activity), opening);
    for ended in [first, second] {
        assert!(matches!(ended, Err(ProcessError::Turn(error)) if error.to_string() == "it broke"));
    }
}

#[tokio::test]
async fn expected_replies_are_given_again() {
    let user = TestAdapter::new(Router::new().otherwise(echo));
    let activity = again(
        &user,
        Activity::message("once").with_delivery_mode(DeliveryMode::ExpectReplies),
    );
    let first = user.deliver(activity.clone()).await.unwrap();
    assert_eq!(user.deliver(activity).await.unwrap(), first);
}

/// Refuses what `not again` says, stages a note for each turn, and notes what it hears.
struct Watcher(Log);

#[async_trait]
impl TurnObserver for Watcher {
    async fn admit(&self, inbound: &Inbound) -> Result<Admission> {
        match inbound.activity.text.as_deref() {
            Some("not again") => Ok(Admission::Answered(TurnResponse {
                status: 208,
                body: None,
            })),
            Some("broken") => Err(Error::msg("the observer broke")),
            _ => Ok(Admission::Run),
        }
    }

    fn stage(&self, facts: &TurnFacts<'_>, batch: &mut Batch) {
        assert_eq!(facts.activity_key.is_some(), facts.kind == TurnKind::Inbound);
        let note = if facts.kind == TurnKind::Inbound {
            "inbound"
        } else {
            "proactive"
        };
        batch.steps.push(Box::new(Note(note)));
        self.0.add(format!("stage {note} responded {}", facts.responded));
    }

    fn committed(&self, facts: &TurnFacts<'_>, response: &TurnResponse) {
        self.0
            .add(format!("committed {} {}", facts.conversation, response.status));
    }
}

#[tokio::test]
async fn an_observer_admits_stages_and_hears_of_the_commit() {
    async fn fails(_turn: &mut TurnContext) -> Result<()> {
        Err(Error::msg("no"))
    }
    let (log, database) = (Log::default(), database());
    let watcher = Arc::new(Watcher(log.clone()));
    let user = TestAdapter::builder(Router::new().otherwise(echo).message("fail", fails))
        .set_up(|adapter| {
            adapter
                .storage(Arc::new(database.clone()))
                .observer(watcher)
                .deduplication(None)
        })
        .build();
    assert_eq!(user.deliver("not again").await.unwrap().status, 208);
    assert_eq!(user.deliver("broken").await.unwrap_err().status(), 500);
    user.send("fail").await.unwrap_err();
    assert!(
        log.take().is_empty() && notes(&database).await.is_empty(),
        "none of these was a turn that ended well"
    );

    user.send("x").await.unwrap().assert_reply("x");
    assert_eq!(
        log.take(),
        [
            "stage inbound responded true",
            "committed test/conversations/conversation 200"
        ]
    );
    let reference = user.complete(Activity::message("x")).reference();
    user.adapter()
        .continue_conversation(&reference, async |_: &mut TurnContext| Ok(()))
        .await
        .unwrap();
    assert_eq!(
        log.take(),
        [
            "stage proactive responded false",
            "committed test/conversations/conversation 200"
        ]
    );
    assert_eq!(notes(&database).await, ["inbound", "proactive"]);
}
