use serde::{Deserialize, Serialize};

use super::card;
use crate::raw::Raw;

/// An Adaptive Card, whose schema has a life of its own: here it is JSON, unread.
///
/// ```
/// use serde_json::json;
/// use tidings_activity::AdaptiveCard;
///
/// let card = AdaptiveCard::new(json!({
///     "type": "AdaptiveCard",
///     "version": "1.5",
///     "body": [{ "type": "TextBlock", "text": "Your order is on its way." }],
/// }));
/// let attachment = card.into_attachment();
/// assert_eq!(attachment.content_type.as_deref(), Some("application/vnd.microsoft.card.adaptive"));
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AdaptiveCard {
    /// The card.
    pub content: Raw,
}

impl AdaptiveCard {
    /// The card of this JSON.
    pub fn new(content: impl Into<Raw>) -> Self {
        Self {
            content: content.into(),
        }
    }
}

card!(AdaptiveCard = "application/vnd.microsoft.card.adaptive");
