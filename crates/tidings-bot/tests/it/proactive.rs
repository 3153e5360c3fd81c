use std::sync::{Arc, Mutex};

use tidings_activity::{
    Activity, ChannelAccount, ConversationAccount, ConversationParameters, ConversationReference,
    ConversationResourceResponse, InputHint, ResourceResponse,
};
use tidings_bot::{
    BotState, Collector, ContinuationFailed, Conversation, CreateConversation, Error, Identity, Inbound,
    Middleware, Next, Outbound, Result, Router, Service, TestAdapter, TurnContext, TurnKind, WouldDeadlock,
    async_trait,
};
use tidings_connector::SendError;

use crate::support::{Door, Log, settle};

async fn greet(turn: &mut TurnContext) -> Result<()> {
    turn.say("hello").await
}

fn reference(user: &TestAdapter) -> ConversationReference {
    user.complete(Activity::message("x")).reference()
}

#[tokio::test]
async fn continue_conversation_speaks_first_by_the_send_route() {
    let user = TestAdapter::new(Router::new());
    let reference = reference(&user);
    assert!(reference.activity_id.is_some());
    let kept = reference.clone();
    let callback = async move |turn: &mut TurnContext| {
        assert_eq!(turn.kind(), TurnKind::Proactive);
        assert_eq!(turn.activity().name.as_deref(), Some("ContinueConversation"));
        assert!(turn.activity().id.is_some());
        assert_eq!(turn.activity().relates_to.as_deref(), Some(&kept));
        assert_eq!(
            turn.reference(),
            ConversationReference {
                activity_id: None,
                ..kept.clone()
            }
        );
        turn.say("news").await?;
        turn.send(Activity::message("in reply").with_reply_to_id("in-7"))
            .await?;
        Ok(())
    };
    user.adapter()
        .continue_conversation(&reference, callback)
        .await
        .unwrap();
    let heard = user.heard();
    heard.assert_replies(&["news", "in reply"]);
    assert_eq!(
        heard[0].reply_to_id, None,
        "no channel knows the id of a made-up activity"
    );
    assert_eq!(heard[0].input_hint, Some(InputHint::AcceptingInput));
    assert_eq!(heard[0].recipient, reference.user);
    assert_eq!(heard[0].from, reference.bot);
    assert_eq!(
        heard[1].reply_to_id.as_deref(),
        Some("in-7"),
        "unless the bot names one"
    );
}

#[tokio::test]
async fn middleware_runs_in_proactive_turns_and_the_bot_does_not() {
    struct Counting;
    #[async_trait]
    impl Middleware for Counting {
        async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
            turn.insert(7_u8);
            next.run(turn).await
        }
    }
    let bot = Router::new().event("ContinueConversation", greet);
    let user = TestAdapter::builder(bot)
        .set_up(|adapter| adapter.middleware(Counting))
        .build();
    let callback = async |turn: &mut TurnContext| {
        let seen = turn.get::<u8>().copied();
        turn.say(format!("{seen:?}")).await
    };
    user.adapter()
        .continue_conversation(&reference(&user), callback)
        .await
        .unwrap();
    user.heard().assert_reply("Some(7)");
}

#[tokio::test]
async fn replies_of_a_proactive_turn_are_sent_even_if_the_reference_expects_them() {
    let user = TestAdapter::new(Router::new());
    let mut reference = reference(&user);
    reference.delivery_mode = Some("expectReplies".into());
    user.adapter()
        .continue_conversation(&reference, greet)
        .await
        .unwrap();
    user.heard().assert_reply("hello");
}

#[tokio::test]
async fn what_a_turn_sends_can_be_collected_instead() {
    let user = TestAdapter::new(Router::new());
    let collector = Arc::new(Collector::default());
    let collected = Arc::clone(&collector);
    let callback = async move |turn: &mut TurnContext| {
        assert_eq!(
            turn.send(Activity::message("kept")).await?.id,
            "",
            "no ids inside"
        );
        turn.say("back").await?;
        assert_eq!(collected.take().len(), 2);
        turn.say("rest").await
    };
    let through = Arc::clone(&collector) as Arc<dyn Outbound>;
    user.adapter()
        .continue_conversation_through(through, &reference(&user), callback)
        .await
        .unwrap();
    user.heard().assert_silent();
    let rest = collector.take();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].conversation_id(), Some("conversation"), "addressed");
}

#[tokio::test]
async fn a_reference_without_an_address_is_refused_with_the_field() {
    let user = TestAdapter::new(Router::new());
    for (field, change) in [
        (
            "conversation.id",
            (|r| r.conversation = None) as fn(&mut ConversationReference),
        ),
        ("serviceUrl", |r| r.service_url = None),
        ("serviceUrl", |r| r.service_url = Some(String::new())),
        ("channelId", |r| r.channel_id = None),
    ] {
        let mut reference = reference(&user);
        change(&mut reference);
        let error = user
            .adapter()
            .continue_conversation(&reference, greet)
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with(field), "{error}");
    }
}

/// Tells its own conversation from inside a turn.
async fn tells_itself(turn: &mut TurnContext) -> Result<()> {
    let visits = BotState::conversation().property::<u32>("visits");
    let notes = BotState::conversation().property::<u32>("notes");
    visits.set(turn, &1).await?;
    let (adapter, reference) = (turn.adapter().clone(), turn.reference());
    adapter
        .continue_conversation(&reference, async move |turn: &mut TurnContext| {
            let outer = BotState::conversation().property::<u32>("visits");
            assert_eq!(outer.get(turn).await?, None, "not committed yet");
            notes.set(turn, &2).await?;
            turn.say("nested").await
        })
        .await?;
    turn.say("outer").await
}

async fn show(turn: &mut TurnContext) -> Result<()> {
    let visits = BotState::conversation()
        .property::<u32>("visits")
        .get(turn)
        .await?;
    let notes = BotState::conversation()
        .property::<u32>("notes")
        .get(turn)
        .await?;
    turn.say(format!("{visits:?} {notes:?}")).await
}

#[tokio::test]
async fn the_own_conversation_can_be_continued_from_inside_a_turn() {
    let user = TestAdapter::new(Router::new().otherwise(tells_itself).message("show", show));
    user.deliver("x").await.unwrap();
    user.heard().assert_replies(&["nested", "outer"]);
    // Both committed: the properties of the two turns were merged.
    user.send("show").await.unwrap().assert_reply("Some(1) Some(2)");
    assert_eq!(user.adapter().gate().busy_conversations(), 0);
}

#[tokio::test]
async fn nesting_works_at_the_limit_of_turns_and_several_deep() {
    async fn deep(turn: &mut TurnContext) -> Result<()> {
        let (adapter, reference) = (turn.adapter().clone(), turn.reference());
        adapter.continue_conversation(&reference, tells_itself).await
    }
    let user = TestAdapter::builder(Router::new().otherwise(deep))
        .set_up(|adapter| adapter.max_turns(1))
        .build();
    user.deliver("x").await.unwrap();
    user.heard().assert_replies(&["nested", "outer"]);
}

#[tokio::test]
async fn another_conversation_can_be_told_and_can_tell_back() {
    async fn tell_ben(turn: &mut TurnContext, ben: Service<ConversationReference>) -> Result<()> {
        let (adapter, back) = (turn.adapter().clone(), turn.reference());
        adapter
            .continue_conversation(&ben.0, async move |turn: &mut TurnContext| {
                turn.say("to ben").await?;
                let adapter = turn.adapter().clone();
                adapter
                    .continue_conversation(&back, async |turn: &mut TurnContext| turn.say("back").await)
                    .await
            })
            .await?;
        turn.say("done").await
    }
    let ben = reference(&TestAdapter::new(Router::new()).conversation("ben"));
    let user = TestAdapter::builder(Router::new().otherwise(tell_ben))
        .set_up(|a| a.service(ben).max_turns(1))
        .build();
    user.deliver("x").await.unwrap();
    user.heard().assert_replies(&["back", "done"]);
    user.conversation("ben").heard().assert_reply("to ben");
}

#[tokio::test]
async fn two_turns_that_tell_each_other_do_not_deadlock() {
    async fn tell(turn: &mut TurnContext, other: tidings_bot::Text, door: Service<Door>) -> Result<()> {
        let (adapter, mut reference) = (turn.adapter().clone(), turn.reference());
        reference.conversation.as_mut().unwrap().id = Some(other.0);
        door.pass().await;
        adapter.continue_conversation(&reference, greet).await
    }
    let door = Door::default();
    let user = TestAdapter::builder(Router::new().otherwise(tell))
        .set_up(|a| a.service(door.clone()))
        .build();
    let (ann, ben) = (user.conversation("ann"), user.conversation("ben"));
    let opening = async {
        door.someone_is_there().await;
        door.someone_is_there().await;
        door.open();
        door.open();
    };
    let (to_ben, to_ann, ()) = tokio::join!(ann.deliver("ben"), ben.deliver("ann"), opening);
    let refused = [to_ben, to_ann]
        .into_iter()
        .filter_map(Result::err)
        .collect::<Vec<_>>();
    let [tidings_bot::ProcessError::Turn(error)] = refused.as_slice() else {
        panic!("one is refused, one gets through")
    };
    assert!(error.is::<WouldDeadlock>());
}

#[tokio::test]
async fn a_handler_that_tells_many_at_once_tells_each_conversation_one_thing_at_a_time() {
    async fn broadcast(turn: &mut TurnContext, log: Service<Log>) -> Result<()> {
        let (adapter, reference) = (turn.adapter().clone(), turn.reference());
        let tell = |(number, conversation): (usize, &str)| {
            let (log, mut reference) = (log.0.clone(), reference.clone());
            reference.conversation = Some(ConversationAccount::new(conversation));
            let callback = async move |_: &mut TurnContext| {
                log.add(format!("{number} in"));
                settle().await;
                log.add(format!("{number} out"));
                Ok(())
            };
            let adapter = adapter.clone();
            async move { adapter.continue_conversation(&reference, callback).await }
        };
        let told = ["conversation", "conversation", "conversation"]
            .into_iter()
            .enumerate()
            .map(tell);
        futures_util::future::try_join_all(told).await?;
        let told = ["elsewhere", "elsewhere"].into_iter().enumerate().map(tell);
        futures_util::future::try_join_all(told).await?;
        Ok(())
    }
    let log = Log::default();
    let user = TestAdapter::builder(Router::new().otherwise(broadcast))
        .set_up(|a| a.service(log.clone()))
        .build();
    user.deliver("x").await.unwrap();
    assert_eq!(
        log.take(),
        [
            "0 in", "0 out", "1 in", "1 out", "2 in", "2 out", "0 in", "0 out", "1 in", "1 out"
        ]
    );
}

#[tokio::test]
async fn a_spawned_callback_waits_for_the_turn_to_end() {
    async fn spawns(turn: &mut TurnContext, log: Service<Log>, door: Service<Door>) -> Result<()> {
        let (adapter, reference) = (turn.adapter().clone(), turn.reference());
        let told = log.clone();
        tokio::spawn(async move {
            let callback = async move |_: &mut TurnContext| {
                told.add("spawned");
                Ok(())
            };
            adapter.continue_conversation(&reference, callback).await
        });
        settle().await;
        log.add("turn ends");
        door.pass().await;
        Ok(())
    }
    let (log, door) = (Log::default(), Door::default());
    let user = TestAdapter::builder(Router::new().otherwise(spawns))
        .set_up(|adapter| adapter.service(log.clone()).service(door.clone()))
        .build();
    door.open();
    user.deliver("x").await.unwrap();
    user.adapter().shutdown().await;
    assert_eq!(log.take(), ["turn ends", "spawned"]);
}

fn create(channel: &str) -> CreateConversation {
    CreateConversation::new(channel, "https://channel.invalid/")
        .bot(ChannelAccount::new("bot", "Bot"))
        .member(ChannelAccount::new("29:ann", "Ann"))
        .tenant("t1")
}

#[tokio::test]
async fn create_conversation_opens_one_and_runs_a_turn_in_it() {
    let user = TestAdapter::new(Router::new());
    let callback = async |turn: &mut TurnContext| {
        assert_eq!(turn.activity().name.as_deref(), Some("CreateConversation"));
        assert_eq!(turn.reference().activity_id, None);
        turn.say("nice to meet you").await
    };
    let reference = user
        .adapter()
        .create_conversation(create("msteams"), callback)
        .await
        .unwrap();
    assert_eq!(reference.conversation_id(), Some("created-1"));
    assert_eq!(reference.channel_id.as_deref(), Some("msteams"));
    assert_eq!(reference.activity_id, None);
    assert_eq!(reference.user.as_ref().unwrap().id.as_deref(), Some("29:ann"));
    assert_eq!(
        reference.conversation.as_ref().unwrap().tenant_id.as_deref(),
        Some("t1")
    );
    let parameters = &user.channel().created()[0];
    assert_eq!(parameters.tenant_id.as_deref(), Some("t1"));
    assert_eq!(
        parameters.channel_data.as_ref().unwrap().get(),
        r#"{"tenant":{"id":"t1"}}"#
    );
    let sent = user.channel().activities();
    assert_eq!(sent[0].conversation_id(), Some("created-1"));
    assert_eq!(sent[0].reply_to_id, None);
    // The reference is good for later.
    user.adapter()
        .continue_conversation(&reference, greet)
        .await
        .unwrap();
    assert_eq!(user.channel().activities()[1].text.as_deref(), Some("hello"));
}

#[tokio::test]
async fn the_first_message_of_a_new_thread_is_in_the_reference() {
    let user = TestAdapter::new(Router::new());
    let create = create("msteams")
        .teams_channel("19:channel")
        .activity(Activity::message("a new thread"));
    let reference = user.adapter().create_conversation(create, greet).await.unwrap();
    assert_eq!(reference.activity_id.as_deref(), Some("first-1"));
    assert_eq!(
        user.channel().activities()[0].reply_to_id,
        None,
        "the turn itself still speaks unasked"
    );
}

#[tokio::test]
async fn a_channel_that_refuses_and_a_callback_that_fails_are_told_apart() {
    let user = TestAdapter::new(Router::new());
    user.channel().refuse_next(405);
    let refused = user
        .adapter()
        .create_conversation(create("webchat"), greet)
        .await
        .unwrap_err();
    assert_eq!(refused.downcast_ref::<SendError>().unwrap().status, Some(405));
    let fails = async |_: &mut TurnContext| -> Result<()> { Err(Error::msg("it broke")) };
    let failed = user
        .adapter()
        .create_conversation(create("msteams"), fails)
        .await
        .unwrap_err();
    let failed = failed.downcast_ref::<ContinuationFailed>().unwrap();
    assert!(failed.reference.conversation_id().is_some());
    assert_eq!(failed.error.to_string(), "it broke");
}

/// A way out that notes for whom its tokens would be.
struct Tokens {
    log: Log,
    audience: Option<String>,
}

#[async_trait]
impl Outbound for Tokens {
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        let text = activity.text.as_deref().unwrap_or_default();
        self.log.add(format!("send {text} {:?}", self.audience));
        Ok(ResourceResponse::new("1"))
    }

    async fn update(&self, _: &Activity) -> Result<ResourceResponse> {
        self.log.add(format!("update {:?}", self.audience));
        Ok(ResourceResponse::new("1"))
    }

    async fn delete(&self, _: &ConversationReference) -> Result<()> {
        self.log.add(format!("delete {:?}", self.audience));
        Ok(())
    }

    fn for_audience(&self, audience: &str) -> Option<Arc<dyn Outbound>> {
        Some(Arc::new(Self {
            log: self.log.clone(),
            audience: Some(audience.to_owned()),
        }))
    }

    async fn create_conversation(
        &self,
        _: &str,
        _: &ConversationParameters,
    ) -> Result<ConversationResourceResponse> {
        self.log.add(format!("create {:?}", self.audience));
        Ok(ConversationResourceResponse {
            id: "new".to_owned(),
            ..ConversationResourceResponse::default()
        })
    }
}

#[tokio::test]
async fn a_turn_speaks_with_tokens_for_its_audience_and_so_does_whoever_comes_back_to_it() {
    async fn all(turn: &mut TurnContext, kept: Service<Arc<Mutex<Option<Conversation>>>>) -> Result<()> {
        turn.say("hello").await?;
        turn.update(Activity::message("x").with_id("1")).await?;
        turn.delete("1").await?;
        *kept.0.lock().unwrap() = Some(turn.reference());
        Ok(())
    }
    let claims = [("aud", "bot"), ("azp", "parent"), ("ver", "2.0")];
    let claims = claims.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for (identity, audience) in [
        (Identity::anonymous(), "None"),
        (Identity::verified(claims.into()), "Some(\"parent\")"),
    ] {
        let (log, kept) = (Log::default(), Arc::new(Mutex::new(None)));
        let outbound = Tokens {
            log: log.clone(),
            audience: None,
        };
        let user = TestAdapter::builder(Router::new().otherwise(all))
            .set_up(|adapter| adapter.outbound(Arc::new(outbound)).service(kept.clone()))
            .build();
        let activity = user.complete(Activity::message("x"));
        let inbound = Inbound {
            activity,
            identity: identity.clone(),
        };
        user.adapter().process(inbound).await.unwrap();
        let said = |what: &str| format!("{what} {audience}");
        assert_eq!(log.take(), [said("send hello"), said("update"), said("delete")]);

        let conversation: Conversation = kept.lock().unwrap().take().unwrap();
        assert_eq!(conversation.identity, identity);
        assert!(
            !serde_json::to_string(&conversation.reference)
                .unwrap()
                .contains("parent")
        );
        // Stored, and read again after a restart.
        let stored = serde_json::to_string(&conversation).unwrap();
        let conversation: Conversation = serde_json::from_str(&stored).unwrap();
        let who = identity.clone();
        let news = async move |turn: &mut TurnContext| {
            assert_eq!((turn.kind(), turn.identity()), (TurnKind::Proactive, &who));
            turn.say("news").await
        };
        user.adapter()
            .continue_conversation(&conversation, news)
            .await
            .unwrap();
        assert_eq!(log.take(), [said("send news")]);

        let create = CreateConversation::new("test", "https://channel.invalid/").identity(identity.clone());
        let first = async |turn: &mut TurnContext| turn.say("first").await;
        let created = user.adapter().create_conversation(create, first).await.unwrap();
        assert_eq!(created.identity, identity);
        assert_eq!(log.take(), [said("create"), said("send first")]);
    }
}
