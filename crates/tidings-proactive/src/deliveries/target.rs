use std::fmt;

/// What is stopped, or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PauseTarget {
    /// Everything.
    All,
    /// One channel.
    Channel(String),
    /// One conversation.
    Lane {
        /// Its channel; may be left out where only one channel has a conversation of that id.
        channel_id: Option<String>,
        /// Its id.
        conversation_id: String,
    },
}

impl fmt::Display for PauseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PauseTarget::All => f.write_str("everything"),
            PauseTarget::Channel(channel) => write!(f, "the channel {channel}"),
            PauseTarget::Lane {
                channel_id: None,
                conversation_id,
            } => write!(f, "the conversation {conversation_id}"),
            PauseTarget::Lane {
                channel_id: Some(channel_id),
                conversation_id,
            } => write!(
                f,
                "the conversation {conversation_id} of the channel {channel_id}"
            ),
        }
    }
}
