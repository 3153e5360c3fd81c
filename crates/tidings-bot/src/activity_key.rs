//! By what an activity is recognised when it comes again.

use std::fmt;
use std::sync::Arc;

use tidings_activity::{Activity, ActivityType};

/// The longest key in bytes. What is remembered is bounded by it; no channel's ids come near.
const MAX_BYTES: usize = 1024;

/// By what an inbound activity is recognised when the channel delivers it again: channel, conversation and
/// activity id. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActivityKey(Arc<str>);

impl ActivityKey {
    /// The key of `activity`; `None` without an id, for updates and deletions of messages, whose `id` names the
    /// message they are about and not themselves, and when it would be longer than 1,024 bytes.
    pub fn of(activity: &Activity) -> Option<Self> {
        if matches!(
            activity.kind,
            ActivityType::MessageUpdate | ActivityType::MessageDelete
        ) {
            return None;
        }
        let id = activity.id.as_deref().filter(|id| !id.is_empty())?;
        let channel = activity.channel_id.as_deref()?;
        let conversation = activity.conversation.as_ref()?.id.as_deref()?;
        // NUL stands in no id that was decoded, so the parts cannot run into each other.
        let length = channel.len() + conversation.len() + id.len() + 2;
        if length > MAX_BYTES {
            return None;
        }
        let mut key = String::with_capacity(length);
        for (part, end) in [(channel, "\0"), (conversation, "\0"), (id, "")] {
            key.push_str(part);
            key.push_str(end);
        }
        Some(Self(key.into()))
    }

    /// A key that was stored.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok().map(|key| Self(key.into()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ActivityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use tidings_activity::ConversationAccount;

    use super::*;

    fn key(kind: ActivityType, conversation: &str, id: Option<&str>) -> Option<ActivityKey> {
        let mut activity = Activity::new(kind).with_channel_id("test");
        activity.conversation = Some(ConversationAccount::new(conversation));
        activity.id = id.map(str::to_owned);
        ActivityKey::of(&activity)
    }

    #[test]
    fn an_activity_is_known_by_channel_conversation_and_id() {
        let one = key(ActivityType::Message, "a", Some("1"));
        assert!(one.is_some());
        assert_eq!(one, key(ActivityType::Message, "a", Some("1")));
        assert_ne!(one, key(ActivityType::Message, "a", Some("2")));
        assert_ne!(one, key(ActivityType::Message, "b", Some("1")));
    }

    #[test]
    fn a_key_has_at_most_1024_bytes() {
        let of_length = |length: usize| {
            key(
                ActivityType::Message,
                "a",
                Some(&"x".repeat(length - "test\0a\0".len())),
            )
        };
        for length in [1023, 1024] {
            assert_eq!(of_length(length).unwrap().as_str().len(), length);
        }
        assert_eq!(of_length(1025), None);
    }

    #[test]
    fn without_an_id_of_its_own_an_activity_has_no_key() {
        assert_eq!(key(ActivityType::Message, "a", None), None);
        assert_eq!(key(ActivityType::Message, "a", Some("")), None);
        assert_eq!(key(ActivityType::MessageUpdate, "a", Some("1")), None);
        assert_eq!(key(ActivityType::MessageDelete, "a", Some("1")), None);
    }
}
