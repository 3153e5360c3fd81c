//! What a bot remembers about a conversation, a user, or anything else.

use std::fmt;
use std::sync::Arc;

use tidings_activity::Activity;

use crate::conversation_key::ConversationKey;
use crate::error::Result;
use crate::turn::TurnContext;

mod accessor;
mod conflict;
mod document;
mod preserve;
mod property;
mod turn_states;

pub use accessor::StatePropertyAccessor;
pub use conflict::StateError;
pub(crate) use document::StateDocument;
pub use property::{Scope, StateProperty};
pub(crate) use turn_states::TurnStates;

/// What a bot remembers: one JSON document per conversation, per user, per user in a conversation, or under a
/// key of your own.
///
/// A document maps property names to JSON values; a [`StatePropertyAccessor`] reads and writes one of them. A
/// document is read when a handler first asks for one of its properties and written when the turn ends well,
/// if something changed (nothing has to be saved by hand). Until then nobody else sees the changes; when the
/// turn fails they are dropped.
///
/// The write compares eTags. When somebody else wrote the document meanwhile, it is read again and only the
/// properties that *this* turn changed are written into it. When the same property was changed on both sides,
/// the turn fails with [`StateError::Conflict`] instead of overwriting, also when both set the same value or both
/// removed it: two turns that count to 2 have not counted to 3. A turn that only reads never conflicts. Properties
/// nobody asked for, and the `$type` marks of .NET bots, stay.
///
/// A turn that changes several documents keeps all of them or none, as far as its
/// [`Storage`](tidings_store::Storage) writes the changes of one call so.
///
/// # Keys
///
/// | Scope | Key |
/// |---|---|
/// | conversation | `{channelId}/conversations/{conversation.id}` |
/// | user | `{channelId}/users/{from.id}` |
/// | private conversation | `{channelId}/conversations/{conversation.id}/users/{from.id}` |
///
/// These are the keys of the .NET SDK. The JavaScript SDK appends a slash and a namespace, usually empty, so
/// its keys end in `/`; to share documents with such a bot use [`BotState::custom`] with that key.
///
/// ```
/// use tidings_bot::{BotState, Result, TurnContext};
///
/// async fn count(turn: &mut TurnContext) -> Result<()> {
///     let visits = BotState::user().property::<u32>("visits");
///     let now = visits.get_or_default(turn).await? + 1;
///     visits.set(turn, &now).await?;
///     turn.say(format!("Visit number {now}.")).await
/// }
/// ```
#[derive(Clone)]
pub struct BotState {
    keys: Keys,
}

type CustomKey = dyn Fn(&Activity) -> Result<String> + Send + Sync;

#[derive(Clone)]
enum Keys {
    Conversation,
    User,
    PrivateConversation,
    Custom { name: Arc<str>, key: Arc<CustomKey> },
}

impl BotState {
    /// One document per conversation.
    pub const fn conversation() -> Self {
        Self {
            keys: Keys::Conversation,
        }
    }

    /// One document per user of a channel.
    pub const fn user() -> Self {
        Self { keys: Keys::User }
    }

    /// One document per user in each conversation.
    pub const fn private_conversation() -> Self {
        Self {
            keys: Keys::PrivateConversation,
        }
    }

    /// Documents under a key of your own, made from the turn's activity. `name` is for messages and for
    /// [`Scope::Custom`].
    ///
    /// ```
    /// use tidings_bot::BotState;
    ///
    /// let tenant = BotState::custom("tenant", |activity| {
    ///     let tenant = activity.conversation.as_ref().and_then(|conversation| conversation.tenant_id.as_deref());
    ///     Ok(format!("tenants/{}", tenant.unwrap_or("none")))
    /// });
    /// ```
    pub fn custom(
        name: impl Into<Arc<str>>,
        key: impl Fn(&Activity) -> Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            keys: Keys::Custom {
                name: name.into(),
                key: Arc::new(key),
            },
        }
    }

    /// The scope's name, for messages.
    pub fn name(&self) -> &str {
        match &self.keys {
            Keys::Conversation => "conversation",
            Keys::User => "user",
            Keys::PrivateConversation => "private conversation",
            Keys::Custom { name, .. } => name,
        }
    }

    /// The storage key of the document for a turn about `activity`.
    ///
    /// # Errors
    /// [`StateError::NoKey`] names the field that the activity lacks, or whatever a custom key says.
    pub fn key(&self, activity: &Activity) -> Result<String> {
        let field = |value: Option<&str>, field: &'static str| match value {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(StateError::NoKey {
                scope: self.name().to_owned(),
                field,
            }),
        };
        let conversation_id = || {
            let conversation = activity.conversation.as_ref();
            field(
                conversation.and_then(|conversation| conversation.id.as_deref()),
                "conversation.id",
            )
        };
        let user_id = || {
            field(
                activity.from.as_ref().and_then(|from| from.id.as_deref()),
                "from.id",
            )
        };
        let channel_id = || field(activity.channel_id.as_deref(), "channelId");
        Ok(match &self.keys {
            Keys::Conversation => ConversationKey::new(&channel_id()?, &conversation_id()?)
                .as_str()
                .to_owned(),
            Keys::User => format!("{}/users/{}", channel_id()?, user_id()?),
            Keys::PrivateConversation => {
                format!(
                    "{}/users/{}",
                    ConversationKey::new(&channel_id()?, &conversation_id()?),
                    user_id()?
                )
            }
            Keys::Custom { key, .. } => key(activity)?,
        })
    }

    /// An accessor of the property `name` of this state's documents.
    pub fn property<T>(&self, name: impl Into<Arc<str>>) -> StatePropertyAccessor<T> {
        StatePropertyAccessor::new(self.clone(), name.into())
    }

    /// Forgets every property of the turn's document. The document itself stays, empty.
    ///
    /// # Errors
    /// When the key cannot be made or the storage not be read.
    pub async fn clear(&self, turn: &mut TurnContext) -> Result<()> {
        self.document(turn).await?.clear();
        Ok(())
    }

    /// Deletes the turn's document.
    ///
    /// # Errors
    /// When the key cannot be made or the storage not be read.
    pub async fn delete(&self, turn: &mut TurnContext) -> Result<()> {
        self.document(turn).await?.delete();
        Ok(())
    }

    /// The turn's document, read at its first use in the turn.
    pub(crate) async fn document<'a>(&self, turn: &'a mut TurnContext) -> Result<&'a mut StateDocument> {
        let key = self.key(turn.activity())?;
        let at = match turn.states().position(&key) {
            Some(at) => at,
            None => {
                let storage = turn.adapter().storage()?;
                let found = storage.read(&[&key]).await?.remove(&key);
                turn.states_mut().insert(StateDocument::new(key, found))
            }
        };
        Ok(turn.states_mut().get_mut(at))
    }
}

impl fmt::Debug for BotState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BotState").field(&self.name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use tidings_activity::{ChannelAccount, ConversationAccount};

    use super::*;

    fn activity() -> Activity {
        let mut activity = Activity::message("hi");
        activity.channel_id = Some("msteams".to_owned());
        activity.conversation = Some(ConversationAccount::new("19:abc@thread/v2"));
        activity.from = Some(ChannelAccount::new("29:user", "Ann"));
        activity
    }

    #[test]
    fn the_keys_are_those_of_the_net_sdk() {
        let activity = activity();
        assert_eq!(
            BotState::conversation().key(&activity).unwrap(),
            "msteams/conversations/19:abc@thread/v2"
        );
        assert_eq!(BotState::user().key(&activity).unwrap(), "msteams/users/29:user");
        assert_eq!(
            BotState::private_conversation().key(&activity).unwrap(),
            "msteams/conversations/19:abc@thread/v2/users/29:user"
        );
    }

    #[test]
    fn a_missing_part_of_the_key_is_named() {
        let missing = |change: fn(&mut Activity), state: BotState| {
            let mut activity = activity();
            change(&mut activity);
            state.key(&activity).unwrap_err().to_string()
        };
        assert!(missing(|a| a.channel_id = None, BotState::user()).contains("channelId"));
        assert!(missing(|a| a.conversation = None, BotState::conversation()).contains("conversation.id"));
        assert!(missing(|a| a.from = None, BotState::private_conversation()).contains("from.id"));
        assert!(
            missing(|a| a.channel_id = Some(String::new()), BotState::conversation()).contains("channelId")
        );
    }
}
