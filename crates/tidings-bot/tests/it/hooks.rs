use tidings_activity::{Activity, ConversationReference, ResourceResponse};
use tidings_bot::{
    DeleteHook, Middleware, Next, NextDelete, NextSend, NextUpdate, Result, Router, SendHook, TestAdapter,
    TurnContext, UpdateHook, async_trait,
};

use crate::support::Log;

#[derive(Clone)]
struct Named(&'static str, Log);

#[async_trait]
impl Middleware for Named {
    async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
        self.1.add(format!("{} in", self.0));
        turn.on_send(self.clone());
        turn.on_update(self.clone());
        turn.on_delete(self.clone());
        let ended = next.run(turn).await;
        self.1.add(format!(
            "{} out {}",
            self.0,
            if ended.is_ok() { "ok" } else { "failed" }
        ));
        ended
    }
}

#[async_trait]
impl SendHook for Named {
    async fn on_send(
        &self,
        turn: &mut TurnContext,
        activities: &mut Vec<Activity>,
        next: NextSend<'_>,
    ) -> Result<Vec<ResourceResponse>> {
        self.1.add(format!("{} send {}", self.0, activities.len()));
        for activity in activities.iter_mut() {
            assert!(activity.conversation.is_some(), "addressed before the hooks");
            assert_eq!(activity.id, None);
            activity.text = Some(format!("{} {}", activity.text.take().unwrap_or_default(), self.0));
        }
        let responses = next.run(turn, activities).await?;
        assert!(
            activities.iter().all(|activity| activity.id.is_some()),
            "with the channel's ids after the sending"
        );
        self.1.add(format!("{} sent", self.0));
        Ok(responses)
    }
}

#[async_trait]
impl UpdateHook for Named {
    async fn on_update(
        &self,
        turn: &mut TurnContext,
        activity: &mut Activity,
        next: NextUpdate<'_>,
    ) -> Result<ResourceResponse> {
        self.1.add(format!("{} update", self.0));
        next.run(turn, activity).await
    }
}

#[async_trait]
impl DeleteHook for Named {
    async fn on_delete(
        &self,
        turn: &mut TurnContext,
        reference: &mut ConversationReference,
        next: NextDelete<'_>,
    ) -> Result<()> {
        self.1.add(format!("{} delete", self.0));
        next.run(turn, reference).await
    }
}

async fn all_three(turn: &mut TurnContext) -> Result<()> {
    let sent = turn.send(Activity::message("hello")).await?;
    turn.update(Activity::message("changed").with_id(&sent.id))
        .await?;
    turn.delete(&sent.id).await
}

fn user(log: &Log, bot: Router) -> TestAdapter {
    let (a, b) = (Named("a", log.clone()), Named("b", log.clone()));
    TestAdapter::builder(bot)
        .set_up(|adapter| adapter.middleware(a).middleware(b))
        .build()
}

#[tokio::test]
async fn middleware_and_hooks_are_an_onion_in_registration_order() {
    let log = Log::default();
    user(&log, Router::new().otherwise(all_three))
        .send("x")
        .await
        .unwrap()
        .assert_silent();
    assert_eq!(
        log.take(),
        [
            "a in", "b in", "a send 1", "b send 1", "b sent", "a sent", "a update", "b update", "a delete",
            "b delete", "b out ok", "a out ok"
        ]
    );
}

#[tokio::test]
async fn hooks_may_change_what_is_sent() {
    let bot = Router::new().otherwise(async |turn: &mut TurnContext| turn.say("hello").await);
    user(&Log::default(), bot)
        .send("x")
        .await
        .unwrap()
        .assert_reply("hello a b");
}

#[tokio::test]
async fn middleware_sees_the_failure_of_the_bot() {
    let log = Log::default();
    async fn fails(_turn: &mut TurnContext) -> Result<()> {
        Err(tidings_bot::Error::msg("no"))
    }
    user(&log, Router::new().otherwise(fails))
        .send("x")
        .await
        .unwrap_err();
    assert_eq!(log.take(), ["a in", "b in", "b out failed", "a out failed"]);
}

#[tokio::test]
async fn a_middleware_that_does_not_go_on_ends_the_turn_well() {
    struct Stop;
    #[async_trait]
    impl Middleware for Stop {
        async fn on_turn(&self, _turn: &mut TurnContext, _next: Next<'_>) -> Result<()> {
            Ok(())
        }
    }
    async fn unreachable(_turn: &mut TurnContext) -> Result<()> {
        panic!("the bot is not reached")
    }
    let bot = Router::new().otherwise(unreachable);
    let user = TestAdapter::builder(bot)
        .set_up(|adapter| adapter.middleware(Stop))
        .build();
    user.send("x").await.unwrap().assert_silent();
}

#[tokio::test]
async fn a_hook_that_sends_more_leaves_the_sender_the_id_of_its_own() {
    struct Append;
    #[async_trait]
    impl SendHook for Append {
        async fn on_send(
            &self,
            turn: &mut TurnContext,
            activities: &mut Vec<Activity>,
            next: NextSend<'_>,
        ) -> Result<Vec<ResourceResponse>> {
            let mut more = activities[0].clone();
            more.text = Some("and more".to_owned());
            activities.push(more);
            let responses = next.run(turn, activities).await?;
            assert_eq!(responses.len(), 2);
            assert_ne!(responses[0].id, responses[1].id);
            Ok(responses)
        }
    }
    async fn says(turn: &mut TurnContext) -> Result<()> {
        turn.on_send(Append);
        let sent = turn.send(Activity::message("first")).await?;
        turn.delete(&sent.id).await
    }
    let user = TestAdapter::new(Router::new().otherwise(says));
    // The first was deleted again under the id that it was given.
    user.send("x").await.unwrap().assert_reply("and more");
}

#[tokio::test]
async fn a_hook_that_does_not_go_on_sends_nothing() {
    struct Swallow;
    #[async_trait]
    impl SendHook for Swallow {
        async fn on_send(
            &self,
            _turn: &mut TurnContext,
            _activities: &mut Vec<Activity>,
            _next: NextSend<'_>,
        ) -> Result<Vec<ResourceResponse>> {
            Ok(Vec::new())
        }
    }
    async fn says(turn: &mut TurnContext) -> Result<()> {
        turn.on_send(Swallow);
        assert_eq!(turn.send(Activity::message("x")).await?.id, "");
        assert!(!turn.responded(), "nothing was sent");
        Ok(())
    }
    TestAdapter::new(Router::new().otherwise(says))
        .send("x")
        .await
        .unwrap()
        .assert_silent();
}

#[tokio::test]
async fn middleware_can_put_the_activity_right_and_leave_a_note() {
    struct Translate;
    #[async_trait]
    impl Middleware for Translate {
        async fn on_turn(&self, turn: &mut TurnContext, next: Next<'_>) -> Result<()> {
            turn.activity_mut().text = Some("help".to_owned());
            turn.activity_mut().locale = Some("de".to_owned());
            turn.insert("translated");
            next.run(turn).await
        }
    }
    async fn help(turn: &mut TurnContext) -> Result<()> {
        let note = (*turn.get::<&str>().unwrap()).to_owned();
        turn.say(note).await
    }
    let user = TestAdapter::builder(Router::new().message("help", help))
        .set_up(|adapter| adapter.middleware(Translate))
        .build();
    let heard = user.send("hilfe").await.unwrap();
    heard.assert_reply("translated");
    assert_eq!(heard[0].locale.as_deref(), Some("de"));
}
