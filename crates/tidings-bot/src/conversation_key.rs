//! One conversation of one channel.

use std::fmt;
use std::sync::Arc;

use tidings_activity::{Activity, ConversationReference};

/// One conversation of one channel, as the gate and the state know it:
/// `{channelId}/conversations/{conversation.id}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationKey(Arc<str>);

impl ConversationKey {
    /// The key of the conversation `conversation_id` of `channel_id`.
    pub fn new(channel_id: &str, conversation_id: &str) -> Self {
        let mut key = String::with_capacity(channel_id.len() + conversation_id.len() + 15);
        key.push_str(channel_id);
        key.push_str("/conversations/");
        key.push_str(conversation_id);
        Self(key.into())
    }

    /// The key of the conversation that `activity` belongs to; `None` without channel or conversation.
    pub fn of_activity(activity: &Activity) -> Option<Self> {
        Some(Self::new(
            activity.channel_id.as_deref()?,
            activity.conversation.as_ref()?.id.as_deref()?,
        ))
    }

    /// The key of the conversation that `reference` names; `None` without channel or conversation.
    pub fn of_reference(reference: &ConversationReference) -> Option<Self> {
        Some(Self::new(
            reference.channel_id.as_deref()?,
            reference.conversation_id()?,
        ))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
