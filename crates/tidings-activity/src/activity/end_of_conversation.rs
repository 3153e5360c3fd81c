use crate::open_enum::open_enum;

open_enum! {
    /// How a conversation ended.
    pub enum EndOfConversationCode {
        /// Nobody knows.
        Unknown = "unknown",
        /// It came to its end.
        CompletedSuccessfully = "completedSuccessfully",
        /// The user broke it off.
        UserCancelled = "userCancelled",
        /// The bot did not answer in time.
        BotTimedOut = "botTimedOut",
        /// The bot sent something invalid.
        BotIssuedInvalidMessage = "botIssuedInvalidMessage",
        /// The channel failed.
        ChannelFailed = "channelFailed",
        /// Agents: it took too long.
        TimedOut = "timedOut",
        /// Agents: the agent sent something invalid.
        AgentIssuedInvalidMessage = "agentIssuedInvalidMessage",
        /// Agents: an error.
        Error = "error",
    }
}
