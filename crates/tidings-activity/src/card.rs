mod action;
mod adaptive;
mod media;
mod oauth;
mod picture;
mod picture_card;
mod receipt;
mod signin;

pub use action::{CardAction, CardActionType};
pub use adaptive::AdaptiveCard;
pub use media::{AnimationCard, AudioCard, MediaUrl, VideoCard};
pub use oauth::{OAuthCard, TokenExchangeResource, TokenPostResource};
pub use picture::{CardImage, ThumbnailUrl};
pub use picture_card::{HeroCard, ThumbnailCard};
pub use receipt::{Fact, ReceiptCard, ReceiptItem};
pub use signin::SigninCard;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A card: structured content that a channel lays out. Bot Framework Cards spec.
///
/// Every card has `into_attachment` and converts into an [`Attachment`](crate::Attachment).
///
/// ```
/// use tidings_activity::{Activity, CardAction, HeroCard};
///
/// let card = HeroCard {
///     text: Some("Your order is on its way.".to_owned()),
///     buttons: Some(vec![CardAction::open_url("Track it", "https://example.com/orders/12")]),
///     ..HeroCard::new("Order 12")
/// };
/// let message = Activity::from(card.into_attachment());
/// ```
pub trait Card: Serialize + DeserializeOwned {
    /// The media type of the attachment that holds the card.
    const CONTENT_TYPE: &'static str;
}

/// Declares that a type is a card.
macro_rules! card {
    ($Name:ident = $content_type:literal) => {
        impl $crate::card::Card for $Name {
            const CONTENT_TYPE: &'static str = $content_type;
        }

        impl $Name {
            /// The attachment that holds the card.
            pub fn into_attachment(self) -> $crate::attachment::Attachment {
                let content = $crate::raw::Raw::new(&self).unwrap_or_default();
                $crate::attachment::Attachment::from_content($content_type, content)
            }
        }

        impl From<$Name> for $crate::attachment::Attachment {
            fn from(card: $Name) -> Self {
                card.into_attachment()
            }
        }
    };
}

pub(crate) use card;
