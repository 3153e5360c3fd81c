mod stored;

pub use stored::{AttachmentData, AttachmentInfo, AttachmentView};

use crate::card::Card;
use crate::raw::Raw;
use crate::wire::wire;

wire! {
    /// A file, picture or card sent along with a message. Bot Framework Activity spec: Attachment.
    ///
    /// Either `content` or `content_url` is set, not both. Cards become attachments by their `into_attachment`.
    pub struct Attachment {
        /// The media type.
        pub content_type: Option<String> = "contentType",
        /// Where the content is, also as a `data:` URL.
        pub content_url: Option<String> = "contentUrl",
        /// The content itself, as for cards.
        pub content: Option<Raw> = "content",
        /// The name of the file.
        pub name: Option<String> = "name",
        /// Where a small picture of it is.
        pub thumbnail_url: Option<String> = "thumbnailUrl",
    }
}

impl Attachment {
    /// An attachment whose content is at `url`.
    pub fn from_url(content_type: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            content_type: Some(content_type.into()),
            content_url: Some(url.into()),
            ..Self::default()
        }
    }

    /// An attachment that holds its content.
    pub fn from_content(content_type: impl Into<String>, content: impl Into<Raw>) -> Self {
        Self {
            content_type: Some(content_type.into()),
            content: Some(content.into()),
            ..Self::default()
        }
    }

    /// The same attachment with a file name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The content as a card of type `C`; None when it is something else.
    ///
    /// ```
    /// use tidings_activity::{Attachment, HeroCard, SigninCard};
    ///
    /// let attachment: Attachment = HeroCard::new("Order 12").into();
    /// assert_eq!(attachment.card::<HeroCard>().and_then(|card| card.title).as_deref(), Some("Order 12"));
    /// assert!(attachment.card::<SigninCard>().is_none());
    /// ```
    pub fn card<C: Card>(&self) -> Option<C> {
        let content_type = self.content_type.as_deref()?;
        if !content_type.eq_ignore_ascii_case(C::CONTENT_TYPE) {
            return None;
        }
        self.content.as_ref()?.parse().ok()
    }
}
