use tidings_activity::Activity;
use tidings_bot::{Result, Router, Service, TestAdapter, Text, TurnContext};

use crate::support::{Door, Log, settle};

/// Stops at the door, and notes when it comes and goes.
async fn slow(_turn: &mut TurnContext, text: Text, door: Service<Door>, log: Service<Log>) -> Result<()> {
    log.add(format!("{text} in"));
    door.pass().await;
    log.add(format!("{text} out"));
    Ok(())
}

struct Setup {
    user: TestAdapter,
    door: Door,
    log: Log,
}

fn setup() -> Setup {
    let (door, log) = (Door::default(), Log::default());
    let user = TestAdapter::builder(Router::new().otherwise(slow))
        .set_up(|adapter| adapter.service(door.clone()).service(log.clone()))
        .build();
    Setup { user, door, log }
}

#[tokio::test]
async fn one_turn_at_a_time_in_a_conversation_in_the_order_of_arrival() {
    let Setup { user, door, log } = setup();
    let sending = async {
        let sends = (0..20).map(|number| user.deliver(format!("{number:02}")));
        futures_util::future::join_all(sends).await
    };
    let watching = async {
        for number in 0..20 {
            door.someone_is_there().await;
            settle().await;
            assert!(!door.is_somebody_there(), "{number} is alone in its conversation");
            door.open();
        }
    };
    let (answers, ()) = tokio::join!(sending, watching);
    assert!(answers.into_iter().all(|answer| answer.unwrap().status == 200));
    let expected: Vec<_> = (0..20)
        .flat_map(|n| [format!("{n:02} in"), format!("{n:02} out")])
        .collect();
    assert_eq!(log.take(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_arrival_holds_on_several_threads_too() {
    let Setup { user, door, log } = setup();
    (0..100).for_each(|_| door.open());
    let sends = (0..100).map(|number| user.deliver(format!("{number:03}")));
    futures_util::future::join_all(sends).await;
    let expected: Vec<_> = (0..100)
        .flat_map(|n| [format!("{n:03} in"), format!("{n:03} out")])
        .collect();
    assert_eq!(log.take(), expected);
}

#[tokio::test]
async fn different_conversations_run_at_once() {
    let Setup { user, door, .. } = setup();
    let (ann, ben) = (user.conversation("ann"), user.conversation("ben"));
    let both_inside = async {
        door.someone_is_there().await;
        door.someone_is_there().await;
        door.open();
        door.open();
    };
    let (ann, ben, ()) = tokio::join!(ann.deliver("x"), ben.deliver("x"), both_inside);
    assert!(ann.is_ok() && ben.is_ok());
}

#[tokio::test]
async fn the_same_conversation_id_at_two_channels_is_two_conversations() {
    let Setup { user, door, .. } = setup();
    let elsewhere = user.deliver(Activity::message("x").with_channel_id("slack"));
    let both_inside = async {
        door.someone_is_there().await;
        door.someone_is_there().await;
        door.open();
        door.open();
    };
    let (here, there, ()) = tokio::join!(user.deliver("x"), elsewhere, both_inside);
    assert!(here.is_ok() && there.is_ok());
}

#[tokio::test]
async fn a_proactive_turn_waits_behind_the_inbound_one() {
    let Setup { user, door, log } = setup();
    let reference = user.complete(Activity::message("x")).reference();
    let inbound = tokio::spawn({
        let user = user.clone();
        async move { user.deliver("inbound").await }
    });
    door.someone_is_there().await;
    let proactive = tokio::spawn({
        let (adapter, log) = (user.adapter().clone(), log.clone());
        async move {
            let callback = async move |_turn: &mut TurnContext| {
                log.add("proactive");
                Ok(())
            };
            adapter.continue_conversation(&reference, callback).await
        }
    });
    settle().await;
    assert_eq!(log.take(), ["inbound in"]);
    door.open();
    inbound.await.unwrap().unwrap();
    proactive.await.unwrap().unwrap();
    assert_eq!(log.take(), ["inbound out", "proactive"]);
}

#[tokio::test]
async fn whoever_sends_beside_the_turns_waits_at_the_gate() {
    let Setup { user, door, .. } = setup();
    let conversation = tidings_bot::ConversationKey::new("test", "conversation");
    let inbound = tokio::spawn({
        let user = user.clone();
        async move { user.deliver("inbound").await }
    });
    door.someone_is_there().await;
    let entering = user.adapter().gate().enter(&conversation);
    assert_eq!(user.adapter().gate().waiting(&conversation), 1);
    door.open();
    let inside = entering.await.unwrap();
    inbound.await.unwrap().unwrap();
    drop(inside);
    assert_eq!(user.adapter().gate().busy_conversations(), 0);
}
