use std::time::Duration;

use serde_json::json;

use super::{
    Activity, ActivityType, AttachmentLayout, DeliveryMode, EndOfConversationCode, Importance, InputHint,
    SuggestedActions, TextFormat,
};
use crate::account::ChannelAccount;
use crate::attachment::Attachment;
use crate::conversation::ConversationAccount;
use crate::entity::Entity;
use crate::invoke_response::InvokeResponse;
use crate::raw::Raw;

/// A delay that says nothing else lasts this long.
const DEFAULT_DELAY: Duration = Duration::from_millis(1000);

/// Constructors. What they make has a `type` and the fields named, nothing else.
impl Activity {
    /// An empty activity of this type.
    pub fn new(kind: impl Into<ActivityType>) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// A message.
    pub fn message(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::new(ActivityType::Message)
        }
    }

    /// An event.
    pub fn event(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::new(ActivityType::Event)
        }
    }

    /// A sign that the sender is typing. Channels show it for about 3 seconds.
    pub fn typing() -> Self {
        Self::new(ActivityType::Typing)
    }

    /// A note for whoever debugs the bot. Only the Emulator gets to see it.
    pub fn trace(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::new(ActivityType::Trace)
        }
    }

    /// The end of the conversation.
    pub fn end_of_conversation(code: EndOfConversationCode) -> Self {
        Self {
            code: Some(code),
            ..Self::new(ActivityType::EndOfConversation)
        }
    }

    /// The answer to an invoke: sent like a message, but it becomes the HTTP response and never goes to a channel.
    pub fn invoke_response(status: u16, body: Option<Raw>) -> Self {
        let value = Raw::new(&InvokeResponse::new(status, body)).ok();
        Self {
            value,
            ..Self::new(ActivityType::InvokeResponse)
        }
    }

    /// A pause before the next activity: sent like a message, but it never goes to a channel.
    pub fn delay(duration: Duration) -> Self {
        Self::new(ActivityType::Delay)
            .with_value(json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// What an `invokeResponse` activity answers; None for any other activity, or when its value is not an answer.
    pub fn as_invoke_response(&self) -> Option<InvokeResponse> {
        self.has_type(ActivityType::InvokeResponse.as_str())
            .then_some(())?;
        self.value.as_ref()?.parse().ok()
    }

    /// How long a `delay` activity pauses; one second when it does not say. None for any other activity.
    pub fn as_delay(&self) -> Option<Duration> {
        self.has_type(ActivityType::Delay.as_str()).then_some(())?;
        let milliseconds = self.value.as_ref().and_then(Raw::as_f64).unwrap_or(f64::NAN);
        let seconds = milliseconds / 1000.0;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(DEFAULT_DELAY))
    }
}

/// Declares `with_field(value)` methods that set a field.
macro_rules! with {
    ($( $(#[$meta:meta])* $method:ident: $field:ident = $Type:ty; )*) => {
        /// Chainable setters.
        impl Activity {
            $(
                $(#[$meta])*
                #[must_use]
                pub fn $method(mut self, $field: impl Into<$Type>) -> Self {
                    self.$field = Some($field.into());
                    self
                }
            )*
        }
    };
}

with! {
    /// Sets the id.
    with_id: id = String;
    /// Sets the text.
    with_text: text = String;
    /// Sets how the text is written.
    with_text_format: text_format = TextFormat;
    /// Sets what is said where the channel speaks.
    with_speak: speak = String;
    /// Sets whether the bot awaits input.
    with_input_hint: input_hint = InputHint;
    /// Sets the text for where attachments cannot be shown.
    with_summary: summary = String;
    /// Offers answers.
    with_suggested_actions: suggested_actions = SuggestedActions;
    /// Sets how several attachments are laid out.
    with_attachment_layout: attachment_layout = AttachmentLayout;
    /// Sets the name of an event, invoke, command or trace.
    with_name: name = String;
    /// Sets the value.
    with_value: value = Raw;
    /// Sets what sort of value it is.
    with_value_type: value_type = String;
    /// Sets the label of a trace.
    with_label: label = String;
    /// Sets what only the channel understands.
    with_channel_data: channel_data = Raw;
    /// Sets the language.
    with_locale: locale = String;
    /// Sets how the activity is to be delivered.
    with_delivery_mode: delivery_mode = DeliveryMode;
    /// Sets how important the activity is.
    with_importance: importance = Importance;
    /// Sets the activity that this one answers.
    with_reply_to_id: reply_to_id = String;
    /// Sets the sender.
    with_from: from = ChannelAccount;
    /// Sets the receiver.
    with_recipient: recipient = ChannelAccount;
    /// Sets the conversation.
    with_conversation: conversation = ConversationAccount;
    /// Sets the channel.
    with_channel_id: channel_id = String;
    /// Sets where activities for the conversation go.
    with_service_url: service_url = String;
}

impl Activity {
    /// Adds an attachment; cards convert into one.
    #[must_use]
    pub fn with_attachment(mut self, attachment: impl Into<Attachment>) -> Self {
        self.attachments.get_or_insert_default().push(attachment.into());
        self
    }

    /// Adds an entity; [`Mention`](crate::Mention) and the like convert into one.
    #[must_use]
    pub fn with_entity(mut self, entity: impl Into<Entity>) -> Self {
        self.entities.get_or_insert_default().push(entity.into());
        self
    }
}

/// A message.
impl From<&str> for Activity {
    fn from(text: &str) -> Self {
        Self::message(text)
    }
}

/// A message.
impl From<String> for Activity {
    fn from(text: String) -> Self {
        Self::message(text)
    }
}

/// A message that is only this attachment.
impl From<Attachment> for Activity {
    fn from(attachment: Attachment) -> Self {
        Self::new(ActivityType::Message).with_attachment(attachment)
    }
}
