mod action;
mod attachment_layout;
mod build;
mod delivery_mode;
mod end_of_conversation;
mod importance;
mod input_hint;
mod kind;
mod mention;
mod reaction;
mod route;
mod semantic_action;
mod suggested_actions;
mod text_format;
mod text_highlight;
mod time;
mod view;

pub use action::UpdateAction;
pub use attachment_layout::AttachmentLayout;
pub use delivery_mode::DeliveryMode;
pub use end_of_conversation::EndOfConversationCode;
pub use importance::Importance;
pub use input_hint::InputHint;
pub use kind::ActivityType;
pub use reaction::{MessageReaction, ReactionType};
pub use route::{CONTINUE_CONVERSATION, CREATE_CONVERSATION, Direction};
pub use semantic_action::{SemanticAction, SemanticActionState};
pub use suggested_actions::SuggestedActions;
pub use text_format::TextFormat;
pub use text_highlight::TextHighlight;
pub use view::{
    CommandResultView, CommandView, ContactRelationUpdateView, ConversationUpdateView, EndOfConversationView,
    EventView, HandoffView, InstallationUpdateView, InvokeView, MessageDeleteView, MessageReactionView,
    MessageUpdateView, MessageView, SuggestionView, TraceView, TypingView,
};

use crate::account::ChannelAccount;
use crate::attachment::Attachment;
use crate::conversation::ConversationAccount;
use crate::decode::{self, DecodeError};
use crate::entity::Entity;
use crate::raw::Raw;
use crate::reference::ConversationReference;
use crate::wire::wire;

wire! {
    /// One thing that happened, or shall happen, in a conversation. Bot Framework Activity spec, all of its fields.
    ///
    /// Bytes from outside come in by [`Activity::from_slice`]; what a bot sends is made by [`Activity::message`] and
    /// its siblings. Which fields mean something depends on [`kind`](Self::kind); [`as_message`](Self::as_message) and
    /// its siblings give the view of one kind.
    ///
    /// A decoded activity is encoded as the same JSON: nulls, empty strings, unknown properties and the order of all
    /// are kept. In one that we build, fields that are None or an empty string are left out.
    pub struct Activity {
        /// What sort of activity it is: `type` on the wire.
        pub kind: ActivityType = "type",
        /// The id, given by the channel.
        pub id: Option<String> = "id",
        /// When it was sent, in UTC: see [`sent_at`](Self::sent_at).
        pub timestamp: Option<String> = "timestamp",
        /// When it was sent, with the sender's offset: see [`sent_at_local`](Self::sent_at_local).
        pub local_timestamp: Option<String> = "localTimestamp",
        /// The sender's IANA time zone.
        pub local_timezone: Option<String> = "localTimezone",
        /// Where activities for the conversation go. The channel sets it; it ignores the bot's.
        pub service_url: Option<String> = "serviceUrl",
        /// The channel: see [`channel`](crate::channel).
        pub channel_id: Option<String> = "channelId",
        /// The sender.
        pub from: Option<ChannelAccount> = "from",
        /// The conversation.
        pub conversation: Option<ConversationAccount> = "conversation",
        /// The receiver.
        pub recipient: Option<ChannelAccount> = "recipient",
        /// What is said, in the format of [`text_format`](Self::text_format).
        pub text: Option<String> = "text",
        /// How the text is written. Channels disagree about its absence: set it where it matters.
        pub text_format: Option<TextFormat> = "textFormat",
        /// The language, as a BCP-47 tag.
        pub locale: Option<String> = "locale",
        /// Files, pictures and cards.
        pub attachments: Option<Vec<Attachment>> = "attachments",
        /// What the text is about: mentions, places and the like.
        pub entities: Option<Vec<Entity>> = "entities",
        /// What only the channel understands.
        pub channel_data: Option<Raw> = "channelData",
        /// The activity this one answers.
        pub reply_to_id: Option<String> = "replyToId",
        /// What is said, as text or SSML, where the channel speaks.
        pub speak: Option<String> = "speak",
        /// Whether the bot awaits input.
        pub input_hint: Option<InputHint> = "inputHint",
        /// The text for where attachments cannot be shown.
        pub summary: Option<String> = "summary",
        /// Buttons that offer answers.
        pub suggested_actions: Option<SuggestedActions> = "suggestedActions",
        /// How several attachments are laid out.
        pub attachment_layout: Option<AttachmentLayout> = "attachmentLayout",
        /// How the sender wants the activity delivered. Absent means normal.
        pub delivery_mode: Option<DeliveryMode> = "deliveryMode",
        /// How important the activity is.
        pub importance: Option<Importance> = "importance",
        /// When the activity is of no use any more: see [`expires_at`](Self::expires_at).
        pub expiration: Option<String> = "expiration",
        /// Another conversation that the activity is about.
        pub relates_to: Option<Box<ConversationReference>> = "relatesTo",
        /// Who calls the bot, as a URN. Set by the bot's host, never believed from the wire.
        pub caller_id: Option<String> = "callerId",
        /// Phrases for speech recognition to listen for.
        pub listen_for: Option<Vec<String>> = "listenFor",
        /// Parts of the text to show with emphasis.
        pub text_highlights: Option<Vec<TextHighlight>> = "textHighlights",
        /// A programmatic action that comes with the text.
        pub semantic_action: Option<SemanticAction> = "semanticAction",
        /// Who has joined the conversation.
        pub members_added: Option<Vec<ChannelAccount>> = "membersAdded",
        /// Who has left the conversation.
        pub members_removed: Option<Vec<ChannelAccount>> = "membersRemoved",
        /// Reactions that were added.
        pub reactions_added: Option<Vec<MessageReaction>> = "reactionsAdded",
        /// Reactions that were taken back.
        pub reactions_removed: Option<Vec<MessageReaction>> = "reactionsRemoved",
        /// The new topic of the conversation.
        pub topic_name: Option<String> = "topicName",
        /// Whether new members see what was said before.
        pub history_disclosed: Option<bool> = "historyDisclosed",
        /// Whether a contact or installation was added or removed.
        pub action: Option<UpdateAction> = "action",
        /// The name of an event, invoke, command or trace.
        pub name: Option<String> = "name",
        /// The value of an event, invoke, command or trace, or of a button that was pressed.
        pub value: Option<Raw> = "value",
        /// What sort of value it is.
        pub value_type: Option<String> = "valueType",
        /// A label for a trace.
        pub label: Option<String> = "label",
        /// How a conversation ended.
        pub code: Option<EndOfConversationCode> = "code",
    }
}

impl Activity {
    /// Decodes an activity that came from outside.
    ///
    /// Any `type` is accepted, and any property that this crate does not know.
    ///
    /// # Errors
    /// Bytes that are not a JSON object, that lack `type`, that have a known field of a wrong type, nest more than
    /// 128 levels deep, or hold NUL or half of a surrogate pair anywhere. The error names the field. This never panics.
    ///
    /// ```
    /// use tidings_activity::Activity;
    ///
    /// let error = Activity::from_slice(br#"{"type":"message","from":{"id":5}}"#).unwrap_err();
    /// assert_eq!(error.path, "from.id");
    /// ```
    pub fn from_slice(json: &[u8]) -> Result<Self, DecodeError> {
        decode::from_slice(json)
    }

    /// The first entity that can be viewed as a `T`, such as [`ClientInfo`](crate::ClientInfo).
    pub fn entity<T: crate::entity::EntityView>(&self) -> Option<T> {
        self.entities.as_ref()?.iter().find_map(Entity::view)
    }

    /// The id of the conversation; None when it is absent or empty.
    pub fn conversation_id(&self) -> Option<&str> {
        self.conversation.as_ref()?.known_id()
    }

    /// Whether the activity is on this channel: see [`channel`](crate::channel).
    pub fn is_on(&self, channel_id: &str) -> bool {
        self.channel_id.as_deref() == Some(channel_id)
    }
}
