use super::{CardAction, CardImage, card};
use crate::wire::wire;

wire! {
    /// A card with a small picture at its side.
    pub struct ThumbnailCard {
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

card!(ThumbnailCard = "application/vnd.microsoft.card.thumbnail");

impl ThumbnailCard {
    /// A card with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: Some(title.into()),
            ..Self::default()
        }
    }
}
