use super::{CardAction, ThumbnailUrl, card};
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// One source of a sound or film.
    pub struct MediaUrl {
        /// Where it is.
        pub url: Option<String> = "url",
        /// A hint about its form.
        pub profile: Option<String> = "profile",
    }
}

impl MediaUrl {
    /// The source at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Some(url.into()),
            ..Self::default()
        }
    }
}

/// The three cards that play something have the same fields.
macro_rules! media_card {
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
                /// The picture that is shown before it plays.
                pub image: Option<ThumbnailUrl> = "image",
                /// The sources: the same thing in several forms.
                pub media: Option<Vec<MediaUrl>> = "media",
                /// The buttons.
                pub buttons: Option<Vec<CardAction>> = "buttons",
                /// Whether it may be shared.
                pub shareable: Option<bool> = "shareable",
                /// Whether it starts again at its end.
                pub autoloop: Option<bool> = "autoloop",
                /// Whether it starts by itself.
                pub autostart: Option<bool> = "autostart",
                /// The aspect ratio, `16:9` or `4:3`.
                pub aspect: Option<String> = "aspect",
                /// How long it plays, as an ISO 8601 duration.
                pub duration: Option<String> = "duration",
                /// Whatever else the card carries.
                pub value: Option<Raw> = "value",
            }
        }

        card!($Name = $content_type);

        impl $Name {
            /// A card that plays what is at `url`.
            pub fn new(url: impl Into<String>) -> Self {
                Self { media: Some(vec![MediaUrl::new(url)]), ..Self::default() }
            }
        }
    };
}

media_card! {
    /// A card that plays an animated picture.
    AnimationCard = "application/vnd.microsoft.card.animation"
}

media_card! {
    /// A card that plays a sound.
    AudioCard = "application/vnd.microsoft.card.audio"
}

media_card! {
    /// A card that plays a film.
    VideoCard = "application/vnd.microsoft.card.video"
}
