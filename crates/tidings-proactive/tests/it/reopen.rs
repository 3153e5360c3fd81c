//! A conversation that the channel had closed, and somebody who speaks there.

use std::sync::Arc;

use tidings_activity::{Activity, ActivityType, ChannelAccount, ConversationAccount, UpdateAction};
use tidings_bot::{Adapter, Inbound, Result, Router, Service, TestAdapter, TurnContext};
use tidings_proactive::{DeliveryState, Enqueue, Proactive, ProactiveOptions};
use tidings_store::DatabaseOptions;

use crate::desk::{Desk, options, reference, status};

fn desk(options: ProactiveOptions) -> Desk {
    let database = DatabaseOptions::temporary().component(tidings_bot::MIGRATIONS);
    Desk::on(database, options)
}

/// Owes an answer in the commit of its turn, or fails.
async fn answer(turn: &mut TurnContext, Service(proactive): Service<Proactive>) -> Result<()> {
    if turn.activity().text.as_deref() == Some("fail") {
        return Err(tidings_bot::Error::msg("the handler fails as it was told"));
    }
    let later = Enqueue::new(&proactive, turn.reference(), &Activity::message("later"))?;
    turn.stage(later);
    Ok(())
}

fn adapter(desk: &Desk) -> Adapter {
    let (proactive, storage) = (desk.proactive.clone(), Arc::new(desk.db.clone()));
    TestAdapter::builder(Router::new().otherwise(answer))
        .set_up(move |adapter| {
            adapter
                .service(proactive.clone())
                .observer(Arc::new(proactive))
                .storage(storage)
        })
        .build()
        .adapter()
        .clone()
}

fn from_alice(text: &str) -> Activity {
    let mut activity = Activity::message(text);
    activity.channel_id = Some("test".to_owned());
    activity.from = Some(ChannelAccount::new("user", "Alice"));
    activity.recipient = Some(ChannelAccount::new("bot", "Bot"));
    activity.conversation = Some(ConversationAccount::new("alice"));
    activity.service_url = reference("alice").service_url;
    activity
}

/// Has the channel close the conversation of alice.
async fn close(desk: &Desk) {
    let id = desk.enqueue("alice", "hello?").await;
    let call = desk.call().await;
    call.fail(status(403));
    desk.until(id, DeliveryState::Dead).await;
    assert!(is_closed(desk).await);
}

async fn is_closed(desk: &Desk) -> bool {
    let closed = desk.texts("SELECT conversation_id FROM lanes WHERE closed_reason IS NOT NULL");
    closed.await == ["alice"]
}

#[tokio::test]
async fn whoever_writes_opens_the_conversation_before_the_turn() {
    let desk = desk(options(4));
    let running = desk.run();
    desk.until_it_runs().await;
    close(&desk).await;
    let adapter = adapter(&desk);
    adapter
        .process(Inbound::anonymous(from_alice("I am back")))
        .await
        .unwrap();
    desk.deliver("later").await;
    assert!(!is_closed(&desk).await);
    let evidence = "SELECT evidence FROM lane_addresses WHERE evidence IS NOT NULL OR closed_at IS NOT NULL";
    assert_eq!(desk.texts(evidence).await, Vec::<String>::new());
    running.stop().await;
    desk.check().await;
}

#[tokio::test]
async fn a_turn_that_fails_was_spoken_all_the_same() {
    let desk = desk(options(4));
    let running = desk.run();
    desk.until_it_runs().await;
    close(&desk).await;
    let failed = adapter(&desk)
        .process(Inbound::anonymous(from_alice("fail")))
        .await;
    assert!(failed.is_err());
    assert!(!is_closed(&desk).await);
    running.stop().await;
}

#[tokio::test]
async fn the_news_that_the_bot_was_removed_opens_nothing() {
    let desk = desk(options(4));
    let running = desk.run();
    desk.until_it_runs().await;
    close(&desk).await;
    let adapter = adapter(&desk);
    let mut removed = from_alice("");
    removed.kind = ActivityType::InstallationUpdate;
    removed.action = Some(UpdateAction::Remove);
    adapter.process(Inbound::anonymous(removed)).await.unwrap();
    assert!(is_closed(&desk).await);
    running.stop().await;
}

#[tokio::test]
async fn a_process_that_starts_knows_what_was_closed_before() {
    let desk = desk(options(4));
    let running = desk.run();
    desk.until_it_runs().await;
    close(&desk).await;
    running.stop().await;
    let next = desk.beside(options(4));
    let adapter = adapter(&next);
    adapter
        .process(Inbound::anonymous(from_alice("I am back")))
        .await
        .unwrap();
    assert!(!is_closed(&next).await);
}

#[tokio::test]
async fn what_another_process_closes_is_opened_here() {
    let mut shared = options(4);
    shared.shared = true;
    let first = desk(shared.clone());
    let second = first.beside(shared);
    let adapter = adapter(&second);
    // The second has looked before.
    adapter
        .process(Inbound::anonymous(from_alice("hello")))
        .await
        .unwrap();
    let running = first.run();
    first.deliver("later").await;
    close(&first).await;
    adapter
        .process(Inbound::anonymous(from_alice("I am back")))
        .await
        .unwrap();
    assert!(!is_closed(&second).await);
    running.stop().await;
}

#[tokio::test]
async fn a_turn_in_an_open_conversation_asks_nothing_and_writes_nothing_for_it() {
    let with = desk(options(4));
    let spoken_to = adapter(&with);
    spoken_to
        .process(Inbound::anonymous(from_alice("one")))
        .await
        .unwrap();
    let before = with.db.stats();
    spoken_to
        .process(Inbound::anonymous(from_alice("two")))
        .await
        .unwrap();
    let after = with.db.stats();
    assert_eq!(after.operations - before.operations, 1, "the turn's own commit");
    assert_eq!(after.reads, before.reads);
}
