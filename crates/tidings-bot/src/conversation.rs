//! A conversation to come back to, and as whom.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use tidings_activity::ConversationReference;

use crate::identity::Identity;

/// A conversation to come back to later: where it is, and who was proven to have brought the activity that it was taken
/// from. [`TurnContext::reference`](crate::TurnContext::reference) gives one; store it, or hand it to
/// [`Adapter::continue_conversation`](crate::Adapter::continue_conversation).
///
/// The identity decides whom the token on the way back is for: the channel, or the parent whose skill this bot is
/// (protocol section 3.4). It never travels: on the wire is only the reference. Written as JSON, to be stored, the two
/// stand beside each other.
///
/// It can be used as the [`ConversationReference`] that it holds, and be made from one, which is then nobody's
/// ([anonymous](Identity::anonymous)).
///
/// ```
/// use tidings_activity::ConversationReference;
/// use tidings_bot::Conversation;
///
/// let conversation = Conversation::from(ConversationReference {
///     channel_id: Some("test".to_owned()),
///     ..ConversationReference::default()
/// });
/// assert_eq!(conversation.channel_id.as_deref(), Some("test"));
/// assert!(!conversation.is_verified());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// Where the conversation is.
    pub reference: ConversationReference,
    /// As whom the bot comes back.
    #[serde(default, skip_serializing_if = "Identity::is_anonymous")]
    pub identity: Identity,
}

impl Conversation {
    /// The conversation of `reference`, to come back to as `identity` says.
    pub fn new(reference: ConversationReference, identity: Identity) -> Self {
        Self { reference, identity }
    }

    /// Whether the `serviceUrl` came with a token that was verified (Activity spec A7560).
    pub fn is_verified(&self) -> bool {
        self.identity.is_verified()
    }
}

impl Deref for Conversation {
    type Target = ConversationReference;

    fn deref(&self) -> &ConversationReference {
        &self.reference
    }
}

impl DerefMut for Conversation {
    fn deref_mut(&mut self) -> &mut ConversationReference {
        &mut self.reference
    }
}

impl AsRef<ConversationReference> for Conversation {
    fn as_ref(&self) -> &ConversationReference {
        &self.reference
    }
}

impl From<ConversationReference> for Conversation {
    fn from(reference: ConversationReference) -> Self {
        Self::new(reference, Identity::anonymous())
    }
}

impl From<&ConversationReference> for Conversation {
    fn from(reference: &ConversationReference) -> Self {
        reference.clone().into()
    }
}

impl From<&Self> for Conversation {
    fn from(conversation: &Self) -> Self {
        conversation.clone()
    }
}

impl From<Conversation> for ConversationReference {
    fn from(conversation: Conversation) -> Self {
        conversation.reference
    }
}

impl PartialEq<ConversationReference> for Conversation {
    fn eq(&self, reference: &ConversationReference) -> bool {
        self.reference == *reference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stands_beside_the_reference_and_only_if_there_is_one() {
        let reference = ConversationReference {
            channel_id: Some("msteams".to_owned()),
            ..ConversationReference::default()
        };
        let mut conversation = Conversation::from(&reference);
        let json = serde_json::to_string(&conversation).unwrap();
        assert_eq!(json, r#"{"reference":{"channelId":"msteams"}}"#);
        assert_eq!(serde_json::from_str::<Conversation>(&json).unwrap(), conversation);

        conversation.identity = Identity::verified([("aud".to_owned(), "bot".to_owned())].into());
        assert!(conversation.is_verified());
        let json = serde_json::to_string(&conversation).unwrap();
        assert_eq!(serde_json::from_str::<Conversation>(&json).unwrap(), conversation);
        assert_eq!(
            serde_json::to_string(&*conversation).unwrap(),
            r#"{"channelId":"msteams"}"#
        );
    }
}
