//! The bot as the channel sees it.

use async_trait::async_trait;
use bytes::Bytes;
use tidings_activity::Activity;

/// Where the channel delivers what users send: the bot's `POST /api/messages`, in process or over HTTP.
#[async_trait]
pub trait BotEndpoint: Send + Sync + 'static {
    /// Hands one activity to the bot and waits for its answer.
    ///
    /// Calls of one conversation begin in the order of its history; they are not held back until the one
    /// before has ended. The returned future always runs to its end, also when the client has gone or was
    /// told that the bot is too slow.
    async fn deliver(&self, activity: Activity) -> BotReply;
}

/// What the bot answered: an HTTP status and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotReply {
    /// The HTTP status. 2xx means that the bot took the activity.
    pub status: u16,
    /// The body, which for Direct Line clients matters only as the reason of a refusal.
    pub body: Option<Bytes>,
}

impl BotReply {
    /// A status without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, body: None }
    }

    /// Whether the bot took the activity.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
