use crate::open_enum::open_enum;

open_enum! {
    /// What is behind an account.
    pub enum RoleType {
        /// A person.
        User = "user",
        /// A bot.
        Bot = "bot",
        /// A bot that another bot calls.
        Skill = "skill",
        /// An agent, the newer word for a bot.
        Agent = "agent",
        /// The user of a connector.
        ConnectorUser = "connectoruser",
        /// An agent with an identity of its own.
        AgenticAppInstance = "agenticAppInstance",
        /// An agent that acts as a user.
        AgenticUser = "agenticUser",
    }
}
