use super::CardAction;
use crate::wire::wire;

wire! {
    /// A picture on a card.
    pub struct CardImage {
        /// Where it is, also as a `data:` URL.
        pub url: Option<String> = "url",
        /// The picture in words.
        pub alt: Option<String> = "alt",
        /// What a tap on it does.
        pub tap: Option<CardAction> = "tap",
    }
}

impl CardImage {
    /// The picture at `url`, in words `alt`.
    pub fn new(url: impl Into<String>, alt: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            alt: Some(alt.into()),
            ..Self::default()
        }
    }
}

wire! {
    /// A picture that stands for a sound or film.
    pub struct ThumbnailUrl {
        /// Where it is.
        pub url: Option<String> = "url",
        /// The picture in words.
        pub alt: Option<String> = "alt",
    }
}

impl ThumbnailUrl {
    /// The picture at `url`, in words `alt`.
    pub fn new(url: impl Into<String>, alt: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            alt: Some(alt.into()),
            ..Self::default()
        }
    }
}
