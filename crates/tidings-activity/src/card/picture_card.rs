use super::{CardAction, CardImage, card};
use crate::wire::wire;

/// The two cards with a picture beside their text have the same fields.
macro_rules! picture_card {
    ($(#[$meta:meta])* $Name:ident = $content_type:literal) => {
        wire! {
            $(#[$meta])*
            pub struct $Name {
                /// The title.
                pub title: Option<String> = "title",
                /// What stands below the title.
                pub subtitle: Option<String> = "subtitle",
                /// The text.
                pub text: Option<String> = "text",
                /// The picture; channels show the first one.
                pub images: Option<Vec<CardImage>> = "images",
                /// The buttons.
                pub buttons: Option<Vec<CardAction>> = "buttons",
                /// What a tap on the card does.
                pub tap: Option<CardAction> = "tap",
            }
        }

        card!($Name = $content_type);

        impl $Name {
            /// A card with this title.
            pub fn new(title: impl Into<String>) -> Self {
                Self { title: Some(title.into()), ..Self::default() }
            }
        }
    };
}

picture_card! {
    /// A card with one large picture.
    HeroCard = "application/vnd.microsoft.card.hero"
}

picture_card! {
    /// A card with a small picture at its side.
    ThumbnailCard = "application/vnd.microsoft.card.thumbnail"
}
