//! Talking to a bot in tests, without a network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use tidings_activity::{
    Activity, ActivityType, ChannelAccount, ConversationAccount, ExpectedReplies, Raw, channel,
};
use tidings_store::{ManualClock, MemoryStorage};

use crate::adapter::{Adapter, AdapterBuilder};
use crate::bot::Bot;
use crate::inbound::{Inbound, TurnResponse};
use crate::process_error::ProcessError;

mod heard;
mod test_channel;

pub use heard::Heard;
pub use test_channel::TestChannel;

/// A user who talks to a bot in a test: no network, no waiting, a clock that stands still.
///
/// [`send`](Self::send) runs a turn and gives the bot's replies. [`conversation`](Self::conversation) is
/// another user's window to the same bot, and [`next`](Self::next) waits for what the bot says first.
///
/// ```
/// use tidings_activity::ConversationReference;
/// use tidings_bot::{Result, Router, TestAdapter, TurnContext};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// /// Remembers who asked, and tells whoever asked last.
/// async fn remember(turn: &mut TurnContext) -> Result<()> {
///     let reference = turn.reference();
///     let adapter = turn.adapter().clone();
///     tokio::spawn(async move {
///         let news = async |turn: &mut TurnContext| turn.say("It is ready.").await;
///         adapter.continue_conversation(&reference, news).await
///     });
///     turn.say("I will tell you.").await
/// }
///
/// let ann = TestAdapter::new(Router::new().message("tell me", remember));
/// ann.send("Tell me").await?.assert_reply("I will tell you.");
/// assert_eq!(ann.next().await.text.as_deref(), Some("It is ready."));
///
/// let ben = ann.conversation("ben");
/// ben.send("hello").await?.assert_silent();
/// # Ok(())
/// # }
/// ```
///
/// What the bot needs beyond that, such as services or another storage, is set up by
/// [`TestAdapterBuilder::set_up`]:
///
/// ```
/// use tidings_bot::{Result, Router, Service, TestAdapter, TurnContext};
///
/// #[derive(Clone)]
/// struct Greeting(&'static str);
///
/// async fn hello(turn: &mut TurnContext, greeting: Service<Greeting>) -> Result<()> {
///     turn.say(greeting.0.0).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let user = TestAdapter::builder(Router::new().message("hello", hello))
///     .set_up(|adapter| adapter.service(Greeting("Good morning.")))
///     .build();
/// user.send("hello").await?.assert_reply("Good morning.");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TestAdapter {
    adapter: Adapter,
    channel: Arc<TestChannel>,
    clock: ManualClock,
    ids: Arc<AtomicU64>,
    channel_id: String,
    conversation_id: String,
    user: ChannelAccount,
}

impl TestAdapter {
    /// A user of `bot`, whose state is kept in memory.
    pub fn new(bot: impl Bot) -> Self {
        Self::builder(bot).build()
    }

    /// A user of `bot`, to be set up.
    pub fn builder(bot: impl Bot) -> TestAdapterBuilder {
        let clock = ManualClock::default();
        let channel = Arc::new(TestChannel::default());
        let adapter = Adapter::builder()
            .bot(bot)
            .outbound(Arc::clone(&channel) as _)
            .storage(Arc::new(MemoryStorage::new()))
            .clock(Arc::new(clock.clone()));
        TestAdapterBuilder {
            adapter,
            channel,
            clock,
            channel_id: channel::TEST.to_owned(),
        }
    }

    /// The window of the user `name`, in a conversation of the same name, to the same bot.
    #[must_use]
    pub fn conversation(&self, name: &str) -> Self {
        Self {
            conversation_id: name.to_owned(),
            user: ChannelAccount::new(format!("user-{name}"), name),
            ..self.clone()
        }
    }

    /// The adapter that runs the turns.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The channel that gets everything the bot sends.
    pub fn channel(&self) -> &Arc<TestChannel> {
        &self.channel
    }

    /// The adapter's clock. It starts at 1970-01-01T00:00:00Z and stands still until it is moved.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Sends a text or an activity to the bot and gives its replies.
    ///
    /// Fields that a channel sets are filled in where they are missing. What the bot says first, from a turn
    /// of its own, is no reply: see [`next`](Self::next) and [`heard`](Self::heard). Replies that the
    /// activity expects in the response are given too.
    ///
    /// # Errors
    /// As [`Adapter::process`]; what the bot said before it failed is there to be [`heard`](Self::heard).
    pub async fn send(&self, activity: impl Into<Activity>) -> Result<Heard, ProcessError> {
        let activity = self.complete(activity.into());
        // Without an id to reply to, replies look like anything else.
        let replied_to = activity.reference().activity_id;
        let response = self.deliver(activity).await?;
        let mut replies = self.channel.hear(&self.conversation_id, |said| {
            replied_to.is_none() || said.reply_to_id == replied_to
        });
        let expected = response
            .body
            .and_then(|body| body.parse::<ExpectedReplies>().ok());
        replies.extend(
            expected
                .and_then(|expected| expected.activities)
                .unwrap_or_default(),
        );
        Ok(Heard::new(replies))
    }

    /// Sends an event to the bot, as [`send`](Self::send).
    ///
    /// # Errors
    /// As [`Adapter::process`].
    ///
    /// # Panics
    /// When `value` cannot be written as JSON.
    pub async fn event(&self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<Heard, ProcessError> {
        self.send(Activity::event(name).with_value(json(value))).await
    }

    /// Sends an invoke to the bot and gives its result.
    ///
    /// # Errors
    /// As [`Adapter::process`].
    ///
    /// # Panics
    /// When `value` cannot be written as JSON.
    pub async fn invoke(
        &self,
        name: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<TurnResponse, ProcessError> {
        self.deliver(
            Activity::new(ActivityType::Invoke)
                .with_name(name)
                .with_value(json(value)),
        )
        .await
    }

    /// Delivers an activity to the bot and gives the HTTP answer.
    ///
    /// # Errors
    /// As [`Adapter::process`].
    pub async fn deliver(&self, activity: impl Into<Activity>) -> Result<TurnResponse, ProcessError> {
        self.adapter
            .process(Inbound::anonymous(self.complete(activity.into())))
            .await
    }

    /// `activity` with everything that a channel fills in: a fresh id, the accounts, the conversation. What
    /// is there stays.
    #[must_use]
    pub fn complete(&self, mut activity: Activity) -> Activity {
        let fresh_id = || format!("in-{}", self.ids.fetch_add(1, Ordering::Relaxed) + 1);
        activity.id.get_or_insert_with(fresh_id);
        activity.channel_id.get_or_insert_with(|| self.channel_id.clone());
        activity
            .service_url
            .get_or_insert_with(|| "https://channel.invalid/".to_owned());
        activity
            .conversation
            .get_or_insert_with(|| ConversationAccount::new(&self.conversation_id));
        activity.from.get_or_insert_with(|| self.user.clone());
        activity
            .recipient
            .get_or_insert_with(|| ChannelAccount::new("bot", "Bot"));
        activity
    }

    /// Everything in this conversation that has not been heard yet.
    pub fn heard(&self) -> Heard {
        Heard::new(self.channel.hear(&self.conversation_id, |_| true))
    }

    /// The next activity in this conversation that has not been heard yet; waits for it. For what the bot
    /// says first.
    pub async fn next(&self) -> Activity {
        self.channel.next(&self.conversation_id).await
    }
}

/// Sets up a [`TestAdapter`].
#[must_use = "nothing is set up before build"]
pub struct TestAdapterBuilder {
    adapter: AdapterBuilder,
    channel: Arc<TestChannel>,
    clock: ManualClock,
    channel_id: String,
}

impl TestAdapterBuilder {
    /// Sets up the adapter further: services, storage, middleware, limits.
    pub fn set_up(mut self, set_up: impl FnOnce(AdapterBuilder) -> AdapterBuilder) -> Self {
        self.adapter = set_up(self.adapter);
        self
    }

    /// The channel that the users come from; `test` unless set.
    pub fn channel_id(mut self, channel_id: &str) -> Self {
        self.channel_id = channel_id.to_owned();
        self
    }

    /// The window of a user named `user`, in a conversation named `conversation`.
    ///
    /// # Panics
    /// Never: the bot and the way out are given.
    #[must_use]
    pub fn build(self) -> TestAdapter {
        let adapter = match self.adapter.build() {
            Ok(adapter) => adapter,
            Err(error) => unreachable!("a test adapter is complete: {error}"),
        };
        TestAdapter {
            adapter,
            channel: self.channel,
            clock: self.clock,
            ids: Arc::default(),
            channel_id: self.channel_id,
            conversation_id: "conversation".to_owned(),
            user: ChannelAccount::new("user", "User"),
        }
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Raw {
    match Raw::new(value) {
        Ok(raw) => raw,
        Err(error) => panic!("the value cannot be written as JSON: {error}"),
    }
}
