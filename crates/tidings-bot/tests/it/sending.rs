use std::time::Duration;

use tidings_activity::{
    Activity, ActivityType, ChannelAccount, ConversationAccount, DeliveryMode, Direction, ExpectedReplies,
    Raw,
};
use tidings_bot::{Result, Router, TestAdapter, TurnContext};

type Handled = for<'a> fn(&'a mut TurnContext) -> futures_util::future::BoxFuture<'a, Result<()>>;

async fn run(turn: &mut TurnContext, what: tidings_bot::Service<Handled>) -> Result<()> {
    (what.0)(turn).await
}

fn user_of(channel_id: &str, what: Handled) -> TestAdapter {
    let bot = Router::new()
        .otherwise(run)
        .activity(ActivityType::Invoke, run)
        .conversation_update(run);
    TestAdapter::builder(bot)
        .channel_id(channel_id)
        .set_up(|adapter| adapter.service(what))
        .build()
}

/// A user of a bot that does `what` in every turn.
fn user(what: Handled) -> TestAdapter {
    user_of("test", what)
}

#[tokio::test]
async fn what_is_sent_is_addressed_to_the_conversation() {
    let user = user(|turn| {
        Box::pin(async {
            let mut activity = Activity::message("hello")
                .with_id("my own")
                .with_conversation(ConversationAccount::new("elsewhere"));
            activity.kind = "".into();
            let response = turn.send(activity).await?;
            assert_eq!(response.id, "out-1");
            turn.say("again").await
        })
    });
    let inbound = user.complete(Activity::message("hi").with_locale("de-DE"));
    let heard = user.send(inbound.clone()).await.unwrap();
    heard.assert_replies(&["hello", "again"]);
    for (reply, id) in heard.iter().zip(["out-1", "out-2"]) {
        assert_eq!(reply.kind, ActivityType::Message);
        assert_eq!(
            reply.id.as_deref(),
            Some(id),
            "the bot's own id is dropped, the channel's is in its place"
        );
        let mut expected = Activity::default();
        expected.apply_reference(&inbound.reference(), Direction::Outgoing);
        let addressed = Activity {
            text: None,
            input_hint: None,
            id: None,
            ..reply.clone()
        };
        assert_eq!(addressed, expected);
        assert_eq!(reply.reply_to_id, inbound.id);
        assert_eq!(reply.locale.as_deref(), Some("de-DE"));
    }
    assert_eq!(heard[0].input_hint, None);
    assert_eq!(
        heard[1].input_hint.as_ref().unwrap().as_str(),
        "acceptingInput",
        "say accepts input"
    );
}

#[tokio::test]
async fn a_conversation_update_of_direct_line_has_no_id_to_reply_to() {
    for (channel, replies) in [("directline", false), ("webchat", false), ("msteams", true)] {
        let user = user_of(channel, |turn| Box::pin(async { turn.say("welcome").await }));
        let heard = user
            .send(Activity::new(ActivityType::ConversationUpdate))
            .await
            .unwrap();
        assert_eq!(heard[0].reply_to_id.is_some(), replies, "{channel}");
    }
}

#[tokio::test]
async fn responded_is_true_after_anything_but_a_trace_and_stays_true() {
    let user = user(|turn| {
        Box::pin(async {
            assert!(!turn.responded());
            turn.trace(Activity::trace("look")).await?;
            assert!(!turn.responded());
            turn.send_all(Vec::new()).await?;
            assert!(!turn.responded());
            turn.typing().await?;
            assert!(turn.responded());
            turn.trace(Activity::trace("look")).await?;
            assert!(turn.responded());
            Ok(())
        })
    });
    let heard = user.send("x").await.unwrap();
    assert_eq!(
        heard
            .iter()
            .map(|activity| activity.kind.as_str())
            .collect::<Vec<_>>(),
        ["typing"]
    );
}

#[tokio::test]
async fn a_failed_send_is_no_response() {
    let user = user(|turn| {
        Box::pin(async {
            assert!(turn.say("refused").await.is_err());
            assert!(!turn.responded());
            Ok(())
        })
    });
    user.channel().refuse_next(503);
    user.send("x").await.unwrap().assert_silent();
}

#[tokio::test]
async fn traces_go_to_the_emulator_only() {
    let trace: Handled = |turn| Box::pin(async { turn.send(Activity::trace("look")).await.map(drop) });
    user_of("emulator", trace)
        .send("x")
        .await
        .unwrap()
        .iter()
        .for_each(|activity| {
            assert_eq!(activity.kind, ActivityType::Trace);
        });
    assert_eq!(user_of("emulator", trace).send("x").await.unwrap().len(), 1);
    user_of("msteams", trace).send("x").await.unwrap().assert_silent();
}

#[tokio::test(start_paused = true)]
async fn a_delay_waits_and_is_not_sent() {
    let user = user(|turn| {
        Box::pin(async {
            let started = tokio::time::Instant::now();
            turn.send(Activity::delay(Duration::from_millis(2500))).await?;
            assert_eq!(started.elapsed(), Duration::from_millis(2500));
            turn.send(Activity::new(ActivityType::Delay)).await?;
            assert_eq!(
                started.elapsed(),
                Duration::from_millis(3500),
                "a second unless told"
            );
            turn.say("later").await
        })
    });
    user.send("x").await.unwrap().assert_reply("later");
}

#[tokio::test]
async fn a_batch_goes_in_order_and_stops_at_the_first_failure() {
    let user = user(|turn| {
        Box::pin(async {
            let batch = ["one", "two", "three"].map(Activity::message).to_vec();
            let responses = turn.send_all(batch.clone()).await?;
            assert_eq!(
                responses
                    .iter()
                    .map(|response| response.id.as_str())
                    .collect::<Vec<_>>(),
                ["out-1", "out-2", "out-3"]
            );
            let again = turn.send_all(batch).await;
            assert!(again.unwrap_err().to_string().contains("503"));
            Ok(())
        })
    });
    user.channel().refuse_after(4, 503);
    user.send("x")
        .await
        .unwrap()
        .assert_replies(&["one", "two", "three", "one"]);
}

#[tokio::test]
async fn update_and_delete_name_the_activity() {
    let user = user(|turn| {
        Box::pin(async {
            let first = turn.send(Activity::message("first")).await?;
            let second = turn.send(Activity::message("second")).await?;
            let third = turn.send(Activity::message("third")).await?;
            turn.update(Activity::message("changed").with_id(first.id))
                .await?;
            turn.delete(&second.id).await?;
            let mut reference = turn.reference();
            reference.activity_id = Some(third.id);
            turn.delete_reference(&reference).await?;
            assert!(
                turn.update(Activity::message("no id"))
                    .await
                    .unwrap_err()
                    .to_string()
                    .starts_with("id:")
            );
            assert!(
                turn.delete("")
                    .await
                    .unwrap_err()
                    .to_string()
                    .starts_with("activityId:")
            );
            assert!(
                turn.delete("unknown")
                    .await
                    .unwrap_err()
                    .to_string()
                    .contains("404")
            );
            Ok(())
        })
    });
    let heard = user.send("x").await.unwrap();
    heard.assert_reply("changed");
    assert_eq!(heard[0].conversation_id(), Some("conversation"));
}

#[tokio::test]
async fn expected_replies_travel_in_the_response() {
    let user = user(|turn| {
        Box::pin(async {
            let response = turn.send(Activity::message("one")).await?;
            assert_eq!(response.id, "", "nothing gets an id");
            turn.send(Activity::trace("dropped")).await?;
            assert!(turn.update(Activity::message("x").with_id("1")).await.is_err());
            turn.say("two").await
        })
    });
    let activity = Activity::message("x").with_delivery_mode(DeliveryMode::ExpectReplies);
    let response = user.deliver(activity.clone()).await.unwrap();
    assert_eq!(response.status, 200);
    let replies: ExpectedReplies = response.body.unwrap().parse().unwrap();
    let texts: Vec<_> = replies
        .activities
        .unwrap()
        .into_iter()
        .map(|activity| activity.text.unwrap())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(
        user.channel().activities().is_empty(),
        "nothing goes to the connector"
    );
    user.send(activity).await.unwrap().assert_replies(&["one", "two"]);

    let silent = TestAdapter::new(Router::new());
    let activity = Activity::message("x").with_delivery_mode(DeliveryMode::ExpectReplies);
    assert_eq!(
        silent.deliver(activity).await.unwrap().body.unwrap().get(),
        r#"{"activities":[]}"#
    );
    for normal in ["notification", "ephemeral", "somethingNew"] {
        let activity = Activity::message("x").with_delivery_mode(normal);
        assert_eq!(
            silent.deliver(activity).await.unwrap().body,
            None,
            "{normal} is as normal"
        );
    }
}

#[tokio::test]
async fn an_invoke_is_answered_with_its_result_or_501() {
    let answered = user(|turn| {
        Box::pin(async {
            turn.respond_invoke(409, None::<&()>)?;
            let body = Some(Raw::new(&serde_json::json!({"ok": true}))?);
            turn.send(Activity::invoke_response(201, body)).await?;
            assert!(turn.responded());
            Ok(())
        })
    });
    let response = answered.invoke("x", &()).await.unwrap();
    assert_eq!(
        (response.status, response.body.unwrap().get()),
        (201, r#"{"ok":true}"#)
    );
    let said = user(|turn| Box::pin(async { turn.say("I do not know").await }));
    assert_eq!(said.invoke("x", &()).await.unwrap().status, 501);
    assert_eq!(said.heard().texts(), ["I do not know"]);
}

#[tokio::test]
async fn an_unknown_locale_is_ignored_and_can_be_overruled() {
    let user = user(|turn| {
        Box::pin(async {
            let before = turn.locale().map(str::to_owned);
            turn.set_locale("fr");
            let text = format!("{before:?} {:?}", turn.locale());
            turn.say(text).await
        })
    });
    user.send(Activity::message("x").with_locale("de"))
        .await
        .unwrap()
        .assert_reply("Some(\"de\") Some(\"fr\")");
    user.send(Activity::message("x").with_locale("no such_locale"))
        .await
        .unwrap()
        .assert_reply("None Some(\"fr\")");
}

#[tokio::test]
async fn the_caller_on_the_wire_is_discarded_and_teams_tenant_is_named() {
    let teams = user_of("msteams", |turn| {
        Box::pin(async {
            assert_eq!(turn.activity().caller_id, None);
            let tenant = turn.reference().reference.conversation.unwrap().tenant_id;
            turn.say(format!("{tenant:?}")).await
        })
    });
    let mut activity = Activity::message("x").with_from(ChannelAccount::new("29:ann", "Ann"));
    activity.caller_id = Some("urn:botframework:azure".to_owned());
    activity.channel_data = Some(Raw::new(&serde_json::json!({"tenant": {"id": "t1"}})).unwrap());
    teams
        .send(activity.clone())
        .await
        .unwrap()
        .assert_reply("Some(\"t1\")");
    activity.channel_data = Some(Raw::new(&serde_json::json!({"tenant": 7})).unwrap());
    teams.send(activity).await.unwrap().assert_reply("None");
}
