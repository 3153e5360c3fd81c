use crate::account::ChannelAccount;
use crate::activity::Activity;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// Asks a channel for a new conversation: the body of `POST /v3/conversations`.
    pub struct ConversationParameters {
        /// Whether more than two will take part.
        pub is_group: Option<bool> = "isGroup",
        /// The bot.
        pub bot: Option<ChannelAccount> = "bot",
        /// Those who take part beside the bot.
        pub members: Option<Vec<ChannelAccount>> = "members",
        /// The topic, where the channel has such a thing.
        pub topic_name: Option<String> = "topicName",
        /// The tenant in which to create it (Teams).
        pub tenant_id: Option<String> = "tenantId",
        /// The first activity of the conversation (Teams posts to a channel need one).
        pub activity: Option<Box<Activity>> = "activity",
        /// What only the channel understands.
        pub channel_data: Option<Raw> = "channelData",
    }
}
