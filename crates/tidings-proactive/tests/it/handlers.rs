//! Named handlers: turns that survive a restart, and what they say. Here the time of the runtime goes on by itself, for it
//! bounds the turns; nothing waits for it but the worker, which looks often.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tidings_activity::Activity;
use tidings_bot::{
    Adapter, BotState, Error, Result, Router, StatePropertyAccessor, TestAdapter, TurnContext,
};
use tidings_connector::{Phase, SendError, code};
use tidings_proactive::{DeliveryId, DeliveryState, Enqueue, ProactiveError, ProactiveOptions};

use crate::desk::{Desk, options, place, reference, status};

/// How often the handlers of a test ran.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

impl Runs {
    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn visits() -> StatePropertyAccessor<u32> {
    BotState::conversation().property("visits")
}

fn ran(turn: &TurnContext) -> u32 {
    let runs = turn.services().get::<Runs>().unwrap().clone();
    runs.0.fetch_add(1, Ordering::SeqCst) + 1
}

/// Says each text.
async fn say(turn: &mut TurnContext, texts: Vec<String>) -> Result<()> {
    ran(turn);
    let before = visits().get_or_default(turn).await?;
    visits().set(turn, &(before + 1)).await?;
    for text in texts {
        turn.say(text).await?;
    }
    Ok(())
}

/// Says something and fails, the first two times.
async fn stumble(turn: &mut TurnContext, text: String) -> Result<()> {
    let run = ran(turn);
    visits().set(turn, &run).await?;
    turn.say(format!("{text} {run}")).await?;
    if run < 3 {
        return Err(Error::msg("it stumbled"));
    }
    Ok(())
}

/// Never ends.
async fn hang(turn: &mut TurnContext, text: String) -> Result<()> {
    let run = ran(turn);
    turn.say(text).await?;
    if run == 1 {
        std::future::pending::<()>().await;
    }
    Ok(())
}

async fn panic(turn: &mut TurnContext, _: ()) -> Result<()> {
    ran(turn);
    panic!("the handler panics as it was told")
}

/// Says something, and changes what the channel knows by the two ids.
async fn edit(turn: &mut TurnContext, (first, second): (String, String)) -> Result<()> {
    let said = turn.send(Activity::message("one")).await?;
    assert_eq!(said.id, "", "no ids are known inside");
    let updated = turn.update(Activity::message("better").with_id(first)).await?;
    assert_eq!(updated.id, "");
    turn.delete(&second).await?;
    turn.say("two").await?;
    let mut elsewhere = turn.reference().reference;
    elsewhere.conversation.as_mut().unwrap().id = Some("bob".to_owned());
    elsewhere.activity_id = Some("theirs".to_owned());
    let refused = turn.delete_reference(&elsewhere).await.unwrap_err();
    assert!(refused.to_string().starts_with("conversation.id: "), "{refused}");
    Ok(())
}

/// What runs the turns: its state is in the database of the desk.
fn adapter(desk: &Desk, runs: &Runs) -> Adapter {
    let (runs, storage) = (runs.clone(), Arc::new(desk.db.clone()));
    TestAdapter::builder(Router::new())
        .set_up(|adapter| adapter.service(runs).storage(storage))
        .build()
        .adapter()
        .clone()
}

fn desk() -> (Desk, Runs) {
    desk_with(options(4))
}

fn desk_with(mut options: ProactiveOptions) -> (Desk, Runs) {
    options.poll_every = Duration::from_millis(5);
    let runs = Runs::default();
    let database = place().component(tidings_bot::MIGRATIONS);
    let mut desk = Desk::on(database, options);
    desk.adapter = Some(adapter(&desk, &runs));
    desk.proactive.handler("say", say);
    desk.proactive.handler("stumble", stumble);
    desk.proactive.handler("edit", edit);
    desk.proactive.handler("hang", hang);
    desk.proactive.handler("panic", panic);
    (desk, runs)
}

async fn enqueue(desk: &Desk, name: &str, payload: &impl serde::Serialize) -> DeliveryId {
    Enqueue::handler(&desk.proactive, reference("alice"), name, payload)
        .unwrap()
        .commit()
        .await
        .unwrap()
}

/// What the conversation's state says.
async fn state(desk: &Desk) -> Vec<String> {
    desk.texts("SELECT value FROM documents").await
}

#[tokio::test]
async fn what_a_handler_says_takes_its_place_in_the_conversation() {
    let (desk, runs) = desk();
    desk.enqueue("alice", "before").await;
    let parent = enqueue(&desk, "say", &["one", "two"]).await;
    desk.enqueue("alice", "after").await;
    enqueue(&desk, "say", &["three"]).await;
    desk.enqueue("alice", "last").await;
    let running = desk.run();
    for expected in ["before", "one", "two", "after", "three", "last"] {
        desk.deliver(expected).await;
    }
    assert_eq!(runs.count(), 2);
    let parent = desk.delivery(parent).await;
    assert_eq!(
        (parent.state, parent.starts, parent.repeat_possible),
        (DeliveryState::Delivered, 1, false)
    );
    let children = "SELECT 'child of ' || parent_id || ' at ' || place FROM deliveries
                    WHERE parent_id IS NOT NULL ORDER BY id LIMIT 2";
    let child = format!("child of {0} at {0}", parent.id);
    assert_eq!(desk.texts(children).await, [child.clone(), child]);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn updates_and_deletions_of_a_handler_are_deliveries_in_its_place() {
    let (desk, _) = desk();
    let parent = enqueue(&desk, "edit", &("first", "second")).await;
    desk.enqueue("alice", "after").await;
    let running = desk.run();
    for (operation, id, text) in [
        ("send", None, "one"),
        ("update", Some("first"), "better"),
        ("delete", Some("second"), ""),
        ("send", None, "two"),
        ("send", None, "after"),
    ] {
        let call = desk.call().await;
        assert_eq!(
            (call.operation, call.activity.id.as_deref(), call.text()),
            (operation, id, text)
        );
        assert_eq!(call.activity.reply_to_id, None);
        // Tried again at its place.
        if operation == "update" {
            let id = call.delivery;
            call.fail(status(503));
            desk.until_start(id, 1, DeliveryState::Retryable).await;
            desk.clock.advance(SignedDuration::from_secs(1));
            let again = desk.call().await;
            assert_eq!((again.operation, again.text()), (operation, text));
            again.deliver();
        } else {
            call.deliver();
        }
    }
    desk.until(parent, DeliveryState::Delivered).await;
    let kinds = "SELECT coalesce(handler, 'said') || ' ' || state || ' ' || repeat_possible FROM deliveries
                 WHERE parent_id IS NOT NULL ORDER BY id";
    let no = if crate::desk::is_on_postgres() {
        "false"
    } else {
        "0"
    };
    let expected =
        ["said", "activity.update", "activity.delete", "said"].map(|what| format!("{what} delivered {no}"));
    assert_eq!(desk.texts(kinds).await, expected);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_deleted_already_and_cannot_be_updated() {
    let (desk, _) = desk();
    let running = desk.run();
    let named = Activity::message("better").with_id("its-id");
    let gone = |code: Option<&str>| {
        SendError::new(Phase::AfterBody, "not here").with_status(404, code.map(str::to_owned))
    };
    let codes = [None, Some(code::ACTIVITY_NOT_FOUND_IN_CONVERSATION)];
    for code in codes {
        for (name, after_a_loss, ends) in [
            ("activity.update", false, DeliveryState::Dead),
            ("activity.update", true, DeliveryState::Dead),
            ("activity.delete", false, DeliveryState::Dead),
            ("activity.delete", true, DeliveryState::Delivered),
        ] {
            let id = enqueue(&desk, name, &named).await;
            if after_a_loss {
                desk.call().await.fail(status(502));
                desk.until_start(id, 1, DeliveryState::Retryable).await;
                desk.clock.advance(SignedDuration::from_secs(1));
            }
            desk.call().await.fail(gone(code));
            let ended = desk.until(id, ends).await;
            assert_eq!(
                ended.reason.is_some(),
                ends == DeliveryState::Dead,
                "{name} {code:?}"
            );
        }
    }
    // The conversation is as open as before.
    desk.enqueue("alice", "still open").await;
    desk.deliver("still open").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn a_change_of_nothing_is_not_owed() {
    let (desk, _) = desk();
    for (name, payload) in [
        ("activity.update", json!({ "type": "message", "text": "x" })),
        ("activity.update", json!({ "type": "message", "id": "" })),
        ("activity.update", json!({ "id": "its-id" })),
        ("activity.delete", json!({})),
        ("activity.delete", json!({ "id": 7 })),
        ("activity.delete", json!("its-id")),
    ] {
        let error = Enqueue::handler(&desk.proactive, reference("alice"), name, &payload)
            .map(drop)
            .unwrap_err();
        assert!(matches!(error, ProactiveError::BadChange { .. }), "{error}");
        assert!(
            error.to_string().starts_with("payload: ") && error.to_string().contains(name),
            "{error}"
        );
    }
    assert!(desk.ledger().await.is_empty());
}

#[tokio::test]
async fn a_handler_runs_again_until_it_succeeds_and_nothing_of_the_failures_stays() {
    let (desk, runs) = desk();
    let running = desk.run();
    let id = enqueue(&desk, "stumble", &"run").await;
    desk.enqueue("alice", "behind").await;
    for (start, wait) in [(1, 1), (2, 2)] {
        let delivery = desk.until_start(id, start, DeliveryState::Retryable).await;
        assert_eq!(
            delivery.due_at,
            Some(desk.now() + SignedDuration::from_secs(wait))
        );
        let failure = delivery.last_failure.unwrap();
        assert!(failure.message.contains("it stumbled"), "{failure:?}");
        let visits = desk
            .texts("SELECT 'x' FROM deliveries WHERE parent_id IS NOT NULL")
            .await;
        assert!(visits.is_empty());
        desk.clock.advance(SignedDuration::from_secs(wait));
    }
    desk.deliver("run 3").await;
    desk.deliver("behind").await;
    assert_eq!(runs.count(), 3);
    let delivery = desk.delivery(id).await;
    assert_eq!(
        (delivery.state, delivery.starts, delivery.repeat_possible),
        (DeliveryState::Delivered, 3, false)
    );
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_the_process_died_in_runs_again_and_nothing_is_sent_twice() {
    let (mut desk, runs) = desk();
    let dying = desk.run();
    let id = enqueue(&desk, "hang", &"once").await;
    while runs.count() == 0 {
        tokio::task::yield_now().await;
    }
    dying.abort().await;
    // The turn would end with its process.
    desk.adapter = Some(adapter(&desk, &runs));
    let running = desk.run();
    desk.deliver("once").await;
    desk.enqueue("alice", "end").await;
    desk.deliver("end").await;
    assert!(desk.nothing_is_on_its_way().await);
    let delivery = desk.delivery(id).await;
    assert_eq!(
        (delivery.state, delivery.starts, delivery.repeat_possible),
        (DeliveryState::Delivered, 2, false)
    );
    assert_eq!(runs.count(), 2);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn the_state_and_the_words_of_a_handler_are_kept_together() {
    let (desk, _) = desk();
    let running = desk.run();
    desk.until_it_runs().await;
    // The words are refused, so the state is not kept either.
    desk.refuse("INSERT", "deliveries", "new.parent_id IS NOT NULL")
        .await;
    let id = enqueue(&desk, "say", &["word"]).await;
    desk.until(id, DeliveryState::Retryable).await;
    assert!(state(&desk).await.is_empty());
    desk.allow().await;
    desk.clock.advance(SignedDuration::from_secs(1));
    desk.deliver("word").await;
    let kept = state(&desk).await;
    assert!(kept.len() == 1 && kept[0].contains("\"visits\":1"), "{kept:?}");
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn a_turn_whose_conversation_was_taken_over_keeps_nothing() {
    let (desk, runs) = desk();
    let running = desk.run();
    desk.until_it_runs().await;
    let id = Enqueue::handler(&desk.proactive, reference("bob"), "say", &["word"])
        .unwrap()
        .commit();
    // Inside the gate of the conversation, the turn waits.
    let key = tidings_bot::ConversationKey::new("test", "bob");
    let gate = desk.adapter.as_ref().unwrap().gate().clone();
    let inside = gate.enter(&key).await.unwrap();
    let id = id.await.unwrap();
    while gate.waiting(&key) == 0 {
        tokio::task::yield_now().await;
    }
    // What another node would do to a dead one.
    desk.db
        .write(|tx| {
            // In one commit: a look between the two would find a lane with nothing ready in it, and let it sleep.
            tx.execute(
                "UPDATE lanes SET epoch = epoch + 1, node = NULL, next_at = 0 WHERE conversation_id = 'bob'",
                &[],
            )?;
            tx.execute(
                "UPDATE deliveries SET state = 'retryable' WHERE state = 'sending'",
                &[],
            )
        })
        .await
        .unwrap();
    drop(inside);
    desk.deliver("word").await;
    desk.enqueue("bob", "end").await;
    desk.deliver("end").await;
    assert_eq!(runs.count(), 2);
    let kept = state(&desk).await;
    assert!(kept.len() == 1 && kept[0].contains("\"visits\":1"), "{kept:?}");
    assert_eq!(desk.delivery(id).await.state, DeliveryState::Delivered);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_is_unknown_or_takes_something_else_is_dead_and_the_conversation_goes_on() {
    let (desk, runs) = desk();
    let running = desk.run();
    let unknown = enqueue(&desk, "nobody", &1).await;
    let wrong = enqueue(&desk, "say", &"no list").await;
    desk.enqueue("alice", "behind").await;
    desk.deliver("behind").await;
    for (id, reason, says) in [
        (unknown, "no_handler", "nobody"),
        (wrong, "unreadable", "payload"),
    ] {
        let delivery = desk.delivery(id).await;
        assert_eq!(
            (delivery.state, delivery.reason.as_deref()),
            (DeliveryState::Dead, Some(reason))
        );
        let failure = delivery.last_failure.unwrap();
        assert!(failure.message.contains(says), "{failure:?}");
    }
    assert_eq!(runs.count(), 0);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn without_an_adapter_there_are_no_handlers() {
    let mut desk = desk().0;
    desk.adapter = None;
    let running = desk.run();
    let id = enqueue(&desk, "say", &["word"]).await;
    let delivery = desk.until(id, DeliveryState::Dead).await;
    assert_eq!(delivery.reason.as_deref(), Some("no_handler"));
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_panics_is_tried_again() {
    let (desk, runs) = desk();
    let running = desk.run();
    let id = enqueue(&desk, "panic", &()).await;
    for (start, wait) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let delivery = desk.until_start(id, start, DeliveryState::Retryable).await;
        assert!(!delivery.repeat_possible);
        desk.clock.advance(SignedDuration::from_secs(wait));
    }
    desk.until_start(id, 5, DeliveryState::Retryable).await;
    assert_eq!(runs.count(), 5);
    desk.check().await;
    running.stop().await;
}

#[tokio::test]
async fn what_a_handler_says_does_not_fail_for_a_full_backlog() {
    let mut options = options(4);
    options.max_backlog = 1;
    let (desk, _) = desk_with(options);
    enqueue(&desk, "say", &["1", "2", "3"]).await;
    let full = desk
        .proactive
        .enqueue(reference("alice"), &Activity::message("4"))
        .await;
    assert!(full.is_err());
    let running = desk.run();
    for text in ["1", "2", "3"] {
        desk.deliver(text).await;
    }
    desk.check().await;
    running.stop().await;
}
