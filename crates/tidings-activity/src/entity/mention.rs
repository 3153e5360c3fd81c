use super::entity_view;
use crate::account::ChannelAccount;
use crate::wire::wire;

wire! {
    /// Somebody is mentioned in the text.
    pub struct Mention {
        /// Who is mentioned.
        pub mentioned: Option<ChannelAccount> = "mentioned",
        /// How the text spells it.
        pub text: Option<String> = "text",
    }
}

entity_view!(Mention = "mention");

impl Mention {
    /// A mention of `mentioned`, spelled `text` in the message.
    pub fn new(mentioned: ChannelAccount, text: impl Into<String>) -> Self {
        Self {
            mentioned: Some(mentioned),
            text: Some(text.into()),
            ..Self::default()
        }
    }
}
