use tidings_activity::{Activity, ChannelAccount, ConversationAccount};
use tidings_bot::{
    Adapter, BuildError, Identity, Inbound, ProcessError, Result, Router, Service, TestAdapter, TurnContext,
};
use tidings_connector::{ConnectorClient, ServiceUrlPolicy};

use crate::support::Door;

async fn slow(_turn: &mut TurnContext, door: Service<Door>) -> Result<()> {
    door.pass().await;
    Ok(())
}

fn slow_user(door: &Door, max_turns: usize) -> TestAdapter {
    TestAdapter::builder(Router::new().otherwise(slow))
        .set_up(|adapter| adapter.service(door.clone()).max_turns(max_turns))
        .build()
}

#[tokio::test]
async fn an_activity_without_what_every_turn_needs_is_refused_with_the_field() {
    let user = TestAdapter::new(Router::new());
    let account = |id: &str| ChannelAccount {
        id: Some(id.to_owned()),
        ..ChannelAccount::default()
    };
    let message = || Activity::message("x");
    for (activity, field) in [
        (message().with_channel_id(""), "channelId"),
        (message().with_service_url(""), "serviceUrl"),
        (
            message().with_conversation(ConversationAccount::default()),
            "conversation.id",
        ),
        (
            message().with_conversation(ConversationAccount::new("")),
            "conversation.id",
        ),
        (message().with_from(ChannelAccount::default()), "from.id"),
        (message().with_from(account("")), "from.id"),
        (Activity::new(""), "type"),
    ] {
        let error = user.deliver(activity).await.unwrap_err();
        assert_eq!(
            (error.status(), error.field(), error.code()),
            (400, Some(field), "MissingProperty")
        );
        assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
    }
    let bare = user
        .adapter()
        .process(Inbound::anonymous(message()))
        .await
        .unwrap_err();
    assert_eq!((bare.status(), bare.field()), (400, Some("channelId")));
}

#[tokio::test]
async fn a_service_url_that_is_not_allowed_is_refused() {
    let policy = ServiceUrlPolicy::local().allow("channel.invalid");
    let user = TestAdapter::builder(Router::new())
        .set_up(|adapter| adapter.service_urls(policy))
        .build();
    user.send("x").await.unwrap().assert_silent();
    for refused in ["https://example.com/", "not a url", "ftp://127.0.0.1/"] {
        let error = user
            .deliver(Activity::message("x").with_service_url(refused))
            .await
            .unwrap_err();
        assert_eq!(
            (error.status(), error.field()),
            (403, Some("serviceUrl")),
            "{refused}"
        );
    }
    user.send(Activity::message("x").with_service_url("http://127.0.0.1:9/"))
        .await
        .unwrap()
        .assert_silent();
}

#[tokio::test]
async fn turns_at_once_are_bounded_and_those_that_wait_count() {
    let door = Door::default();
    let user = slow_user(&door, 2);
    let (first, second) = (user.conversation("ann"), user.conversation("ann"));
    let refused = async {
        door.someone_is_there().await;
        let error = user.conversation("ben").deliver("x").await.unwrap_err();
        assert!(matches!(error, ProcessError::Overloaded));
        assert_eq!((error.status(), error.retry_after().is_some()), (503, true));
        let reference = user.complete(Activity::message("x")).reference();
        let proactive = user
            .adapter()
            .continue_conversation(&reference, async |_: &mut TurnContext| Ok(()))
            .await;
        assert!(proactive.unwrap_err().is::<ProcessError>());
        door.open();
        door.open();
    };
    let (first, second, ()) = tokio::join!(first.deliver("x"), second.deliver("x"), refused);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(user.adapter().turns_in_flight(), 0);
}

#[tokio::test]
async fn a_conversation_that_hangs_leaves_room_for_the_others() {
    let door = Door::default();
    let user = slow_user(&door, 10);
    let (ann, ben) = (user.conversation("ann"), user.conversation("ben"));
    let hanging = futures_util::future::join_all((0..10).map(|_| ann.deliver("x")));
    let others = async {
        door.someone_is_there().await;
        assert_eq!(user.adapter().turns_in_flight(), 6, "one inside, five behind it");
        for _ in 0..7 {
            door.open();
        }
        ben.deliver("x").await
    };
    let (hanging, other) = tokio::join!(hanging, others);
    assert!(other.is_ok());
    let (ran, refused): (Vec<_>, Vec<_>) = hanging.into_iter().partition(Result::is_ok);
    assert_eq!((ran.len(), refused.len()), (6, 4));
    assert!(
        refused
            .iter()
            .all(|refused| matches!(refused, Err(ProcessError::Overloaded)))
    );
}

#[tokio::test]
async fn a_thousand_messages_at_once_in_one_conversation_are_all_answered() {
    let bot = Router::new().otherwise(async |turn: &mut TurnContext| turn.say("here").await);
    let user = TestAdapter::new(bot);
    let answers = futures_util::future::join_all((0..1000).map(|_| user.deliver("x"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(user.heard().len(), 1000);
}

#[tokio::test]
async fn shutdown_lets_running_turns_finish_and_takes_nothing_new() {
    let door = Door::default();
    let user = slow_user(&door, 10);
    let shutting_down = async {
        door.someone_is_there().await;
        let adapter = user.adapter().clone();
        let shutdown = tokio::spawn(async move { adapter.shutdown().await });
        tokio::task::yield_now().await;
        assert!(matches!(
            user.deliver("late").await,
            Err(ProcessError::ShuttingDown)
        ));
        assert!(!shutdown.is_finished());
        door.open();
        shutdown.await.unwrap();
    };
    let (turn, ()) = tokio::join!(user.deliver("x"), shutting_down);
    assert_eq!(turn.unwrap().status, 200);
    user.adapter().shutdown().await;
}

#[tokio::test]
async fn the_identity_reaches_the_turn() {
    async fn who(turn: &mut TurnContext) -> Result<()> {
        let text = format!(
            "{:?} {:?}",
            turn.identity().claim("aud"),
            turn.activity().caller_id
        );
        turn.say(text).await
    }
    let user = TestAdapter::new(Router::new().otherwise(who));
    let claims = [("aud".to_owned(), "app".to_owned())].into();
    let identity = Identity::verified(claims).with_caller_id("urn:botframework:azure");
    let activity = user.complete(Activity::message("x"));
    user.adapter()
        .process(Inbound { activity, identity })
        .await
        .unwrap();
    user.heard()
        .assert_reply("Some(\"app\") Some(\"urn:botframework:azure\")");
}

#[tokio::test]
async fn an_adapter_needs_a_bot_and_a_way_out() {
    assert_eq!(
        Adapter::builder().bot(Router::new()).build().unwrap_err(),
        BuildError::NoOutbound
    );
    let connector = ConnectorClient::builder().build().unwrap();
    assert_eq!(
        Adapter::builder().connector(connector).build().unwrap_err(),
        BuildError::NoBot
    );
}
