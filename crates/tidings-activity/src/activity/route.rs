use super::{Activity, ActivityType};
use crate::channel;
use crate::conversation::{ConversationAccount, ConversationParameters};
use crate::entity::ActivityTreatment;
use crate::reference::ConversationReference;
use crate::resource_response::ConversationResourceResponse;

/// The name of the event that starts a proactive turn. The 2018 SDKs wrote it `continueConversation`.
pub const CONTINUE_CONVERSATION: &str = "ContinueConversation";

/// The name of the event that starts the first turn of a new conversation. The 2018 SDKs wrote it
/// `createConversation`.
pub const CREATE_CONVERSATION: &str = "CreateConversation";

/// Which way an activity goes, for [`Activity::apply_reference`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Direction {
    /// From the bot to the user.
    Outgoing,
    /// From the user to the bot.
    Incoming,
}

impl Activity {
    /// What is needed to come back to this conversation, from the bot that received the activity.
    pub fn reference(&self) -> ConversationReference {
        ConversationReference {
            activity_id: self.id_to_reply_to(),
            user: self.from.clone(),
            bot: self.recipient.clone(),
            conversation: self.conversation.clone(),
            channel_id: self.channel_id.clone(),
            service_url: self.service_url.clone(),
            locale: self.locale.clone(),
            ..ConversationReference::default()
        }
    }

    /// Addresses the activity to a conversation.
    ///
    /// Channel, serviceUrl and conversation are taken over, the locale only when the activity has none. Outgoing, the
    /// bot is the sender and the activity replies to the reference's; incoming, the user is the sender and the
    /// activity gets the id of the reference's. A targeted activity (see [`ActivityTreatment`]) keeps its recipient.
    pub fn apply_reference(&mut self, reference: &ConversationReference, direction: Direction) {
        self.channel_id.clone_from(&reference.channel_id);
        self.service_url.clone_from(&reference.service_url);
        self.conversation.clone_from(&reference.conversation);
        if self.locale.as_deref().unwrap_or_default().is_empty() {
            self.locale.clone_from(&reference.locale);
        }
        let activity_id = reference.activity_id.as_ref().filter(|id| !id.is_empty());
        match direction {
            Direction::Outgoing => {
                self.from.clone_from(&reference.bot);
                if self.recipient.is_none() || !self.is_targeted() {
                    self.recipient.clone_from(&reference.user);
                }
                if let Some(id) = activity_id {
                    self.reply_to_id = Some(id.clone());
                }
            }
            Direction::Incoming => {
                self.from.clone_from(&reference.user);
                self.recipient.clone_from(&reference.bot);
                if let Some(id) = activity_id {
                    self.id = Some(id.clone());
                }
            }
        }
    }

    /// A message that answers this one: sender and recipient swapped, in the same conversation.
    #[must_use]
    pub fn reply(&self, text: impl Into<String>) -> Self {
        Self {
            from: self.recipient.clone(),
            recipient: self.from.clone(),
            reply_to_id: self.id_to_reply_to(),
            service_url: self.service_url.clone(),
            channel_id: self.channel_id.clone(),
            conversation: self.conversation.clone(),
            locale: self.locale.clone(),
            ..Self::message(text)
        }
    }

    /// The activity that starts the first turn of a conversation that was just created: an event
    /// `CreateConversation` to the bot, from the one member if there is only one.
    pub fn create_continuation(
        channel_id: &str,
        service_url: &str,
        parameters: &ConversationParameters,
        response: &ConversationResourceResponse,
    ) -> Self {
        let known = |id: &String| !id.is_empty();
        let activity_id = response.activity_id.clone().filter(known);
        let conversation = ConversationAccount {
            is_group: parameters.is_group,
            tenant_id: parameters.tenant_id.clone(),
            ..ConversationAccount::new(&response.id)
        };
        let from = match parameters.members.as_deref() {
            Some([only]) => Some(only.clone()),
            _ => None,
        };
        Self {
            id: activity_id.or_else(|| Some(uuid::Uuid::new_v4().to_string())),
            name: Some(CREATE_CONVERSATION.to_owned()),
            channel_id: Some(channel_id.to_owned()),
            service_url: response
                .service_url
                .clone()
                .filter(known)
                .or_else(|| Some(service_url.to_owned())),
            conversation: Some(conversation),
            recipient: parameters.bot.clone(),
            from,
            channel_data: parameters.channel_data.clone(),
            ..Self::new(ActivityType::Event)
        }
    }

    /// Whether the activity is shown to its recipient only.
    pub fn is_targeted(&self) -> bool {
        self.entity::<ActivityTreatment>()
            .is_some_and(|treatment| treatment.is_targeted())
    }

    /// Direct Line and Web Chat do not show conversationUpdates to clients, so there is nothing to reply to.
    fn id_to_reply_to(&self) -> Option<String> {
        let unseen = self.kind == ActivityType::ConversationUpdate
            && (self.is_on(channel::DIRECTLINE) || self.is_on(channel::WEBCHAT));
        self.id.clone().filter(|id| !unseen && !id.is_empty())
    }
}
