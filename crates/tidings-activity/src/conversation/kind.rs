use crate::open_enum::open_enum;

open_enum! {
    /// The kinds of conversation in Teams.
    pub enum ConversationType {
        /// One user and the bot.
        Personal = "personal",
        /// Several users, outside any team.
        GroupChat = "groupChat",
        /// A channel of a team.
        Channel = "channel",
    }
}
