//! The Bot Framework Activity protocol as data.
//!
//! An [`Activity`] is one thing that happens in a conversation between a user and a bot. It comes in as JSON, is read
//! and answered, and everything the channel sent that this crate has no field for is kept, in order, at every level.
//! There is no I/O here and nothing asynchronous.
//!
//! ```
//! use tidings_activity::{Activity, ActivityType, CardAction, HeroCard};
//!
//! let inbound = Activity::from_slice(
//!     br#"{
//!         "type": "message", "id": "1", "text": "where is it?", "channelId": "webchat",
//!         "from": {"id": "ana"}, "recipient": {"id": "bot"}, "conversation": {"id": "c1"},
//!         "aPropertyOfTomorrow": [1.50, null]
//!     }"#,
//! )?;
//! assert_eq!(inbound.kind, ActivityType::Message);
//! assert_eq!(inbound.extras.get("aPropertyOfTomorrow").map(|raw| raw.get()), Some("[1.50, null]"));
//!
//! let mut card = HeroCard::new("Order 12");
//! card.buttons = Some(vec![CardAction::im_back("Track it", "track 12")]);
//! let reply = inbound.reply("On its way.").with_attachment(card);
//! assert_eq!(reply.reply_to_id.as_deref(), Some("1"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is where:
//! - [`Activity`], its constructors, its [views](Activity::as_message) by type, and the fields' open enums;
//! - [`ChannelAccount`], [`ConversationAccount`] and [`ConversationReference`], the addresses;
//! - [`Attachment`] and the [cards](Card); [`Entity`] and its [views](EntityView), such as [`Mention`];
//! - the bodies of the connector's requests and answers, such as [`ConversationParameters`] and [`ResourceResponse`];
//! - [`Raw`], [`Number`] and [`Extras`], which keep what is not understood; [`from_slice`], the door for bytes from
//!   outside, and its [`DecodeError`].

mod account;
mod activity;
mod attachment;
mod card;
pub mod channel;
mod conversation;
mod decode;
mod entity;
mod error_response;
mod guard;
mod invoke_response;
mod number;
mod open_enum;
mod raw;
mod reference;
mod resource_response;
mod transcript;
mod wire;

pub use account::{ChannelAccount, RoleType};
pub use activity::{
    Activity, ActivityType, AttachmentLayout, CONTINUE_CONVERSATION, CREATE_CONVERSATION, CommandResultView,
    CommandView, ContactRelationUpdateView, ConversationUpdateView, DeliveryMode, Direction,
    EndOfConversationCode, EndOfConversationView, EventView, HandoffView, Importance, InputHint,
    InstallationUpdateView, InvokeView, MessageDeleteView, MessageReaction, MessageReactionView,
    MessageUpdateView, MessageView, ReactionType, SemanticAction, SemanticActionState, SuggestedActions,
    SuggestionView, TextFormat, TextHighlight, TraceView, TypingView, UpdateAction,
};
pub use attachment::{Attachment, AttachmentData, AttachmentInfo, AttachmentView};
pub use card::{
    AdaptiveCard, AnimationCard, AudioCard, Card, CardAction, CardActionType, CardImage, Fact, HeroCard,
    MediaUrl, OAuthCard, ReceiptCard, ReceiptItem, SigninCard, ThumbnailCard, ThumbnailUrl,
    TokenExchangeResource, TokenPostResource, VideoCard,
};
pub use conversation::{
    ConversationAccount, ConversationMembers, ConversationParameters, ConversationType, ConversationsResult,
    PagedMembersResult,
};
pub use decode::{DecodeError, DecodeErrorKind, from_slice};
pub use entity::{
    ActivityTreatment, ClientInfo, Entity, EntityView, GeoCoordinates, Mention, Place, ProductInfo,
    StreamInfo, StreamType, Thing, Treatment,
};
pub use error_response::{ErrorBody, ErrorResponse, InnerHttpError};
pub use invoke_response::InvokeResponse;
pub use number::Number;
pub use open_enum::Unlisted;
pub use raw::Raw;
pub use reference::ConversationReference;
pub use resource_response::{ConversationResourceResponse, ResourceResponse};
pub use transcript::{ExpectedReplies, Transcript};
pub use wire::{Extras, ExtrasIter};
