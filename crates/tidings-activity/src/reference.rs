use crate::account::ChannelAccount;
use crate::activity::{Activity, ActivityType, CONTINUE_CONVERSATION, DeliveryMode};
use crate::conversation::ConversationAccount;
use crate::wire::wire;

wire! {
    /// All that is needed to find a conversation again. Bot Framework Activity spec: Conversation reference.
    ///
    /// Taken from an inbound activity with [`Activity::reference`], kept, and used later to speak first:
    ///
    /// ```
    /// use tidings_activity::{Activity, ConversationReference, Direction};
    ///
    /// # let inbound = Activity::from_slice(br#"{"type":"message","channelId":"test","conversation":{"id":"c1"}}"#)?;
    /// let kept = serde_json::to_string(&inbound.reference())?;
    ///
    /// let reference: ConversationReference = serde_json::from_str(&kept)?;
    /// let mut news = Activity::message("Job 12 is complete.");
    /// news.apply_reference(&reference, Direction::Outgoing);
    /// assert_eq!(news.conversation.as_ref().and_then(|conversation| conversation.id.as_deref()), Some("c1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub struct ConversationReference {
        /// The activity the reference was taken from.
        pub activity_id: Option<String> = "activityId",
        /// The other side.
        pub user: Option<ChannelAccount> = "user",
        /// The bot.
        pub bot: Option<ChannelAccount> = "bot",
        /// The conversation.
        pub conversation: Option<ConversationAccount> = "conversation",
        /// The channel: see [`channel`](crate::channel).
        pub channel_id: Option<String> = "channelId",
        /// Where activities for the conversation go. Trust it only as far as the activity it came from was authenticated.
        pub service_url: Option<String> = "serviceUrl",
        /// The language, as a BCP-47 tag.
        pub locale: Option<String> = "locale",
        /// How the other side wants to be answered.
        pub delivery_mode: Option<DeliveryMode> = "deliveryMode",
        /// The request the reference was taken in.
        pub request_id: Option<String> = "requestId",
    }
}

impl ConversationReference {
    /// The id of the conversation; None when it is absent or empty.
    pub fn conversation_id(&self) -> Option<&str> {
        self.conversation.as_ref()?.known_id()
    }

    /// The activity that starts a proactive turn in the conversation: an event `ContinueConversation` from the user to
    /// the bot, with a fresh id.
    pub fn continuation(&self) -> Activity {
        Activity {
            id: Some(uuid::Uuid::new_v4().to_string()),
            name: Some(CONTINUE_CONVERSATION.to_owned()),
            channel_id: self.channel_id.clone(),
            locale: self.locale.clone(),
            service_url: self.service_url.clone(),
            conversation: self.conversation.clone(),
            recipient: self.bot.clone(),
            from: self.user.clone(),
            relates_to: Some(Box::new(self.clone())),
            ..Activity::new(ActivityType::Event)
        }
    }
}
