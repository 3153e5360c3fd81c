use crate::open_enum::open_enum;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// A button, or what a tap does. Bot Framework Activity spec: Card action.
    pub struct CardAction {
        /// What pressing it does.
        pub kind: Option<CardActionType> = "type",
        /// What stands on the button.
        pub title: Option<String> = "title",
        /// The URL of a picture on the button.
        pub image: Option<String> = "image",
        /// The picture in words.
        pub image_alt_text: Option<String> = "imageAltText",
        /// The text of the message that is sent.
        pub text: Option<String> = "text",
        /// The text that is shown in the chat.
        pub display_text: Option<String> = "displayText",
        /// What the action needs: a URL, a text, or any value.
        pub value: Option<Raw> = "value",
        /// What only the channel understands.
        pub channel_data: Option<Raw> = "channelData",
    }
}

impl CardAction {
    /// A button of this type.
    pub fn new(kind: CardActionType, title: impl Into<String>, value: impl Into<Raw>) -> Self {
        Self {
            kind: Some(kind),
            title: Some(title.into()),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// Says `text` for the user, visibly.
    pub fn im_back(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(
            CardActionType::ImBack,
            title,
            serde_json::Value::String(text.into()),
        )
    }

    /// Sends `value` to the bot, unseen in the chat.
    pub fn post_back(title: impl Into<String>, value: impl Into<Raw>) -> Self {
        Self::new(CardActionType::PostBack, title, value)
    }

    /// Sends `value` to the bot and shows `display_text` in the chat.
    pub fn message_back(
        title: impl Into<String>,
        display_text: impl Into<String>,
        value: impl Into<Raw>,
    ) -> Self {
        let display_text = Some(display_text.into());
        Self {
            display_text,
            ..Self::new(CardActionType::MessageBack, title, value)
        }
    }

    /// Opens a web page.
    pub fn open_url(title: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(
            CardActionType::OpenUrl,
            title,
            serde_json::Value::String(url.into()),
        )
    }
}

open_enum! {
    /// What pressing a button does.
    pub enum CardActionType {
        /// Opens a URL.
        OpenUrl = "openUrl",
        /// Says something for the user, visibly.
        ImBack = "imBack",
        /// Sends something to the bot, unseen.
        PostBack = "postBack",
        /// Sends something to the bot and may show something else.
        MessageBack = "messageBack",
        /// Calls a number.
        Call = "call",
        /// Signs in.
        Signin = "signin",
        /// Plays a sound.
        PlayAudio = "playAudio",
        /// Plays a video.
        PlayVideo = "playVideo",
        /// Shows a picture.
        ShowImage = "showImage",
        /// Downloads a file.
        DownloadFile = "downloadFile",
        /// Opens an app.
        OpenApp = "openApp",
        /// Pays (legacy).
        Payment = "payment",
    }
}
