//! The handle of the channel.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use tidings_activity::Activity;
use tidings_store::{Database, StoreError};

use crate::bot_endpoint::BotEndpoint;
use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::faults::Faults;
use crate::history::History;
use crate::options::DirectLineOptions;
use crate::{client_routes, connector_routes};

/// The local channel: a Direct Line 3.0 server for clients and, behind it, the connector service for the bot.
///
/// Cheap to clone; every clone is the same channel.
///
/// ```
/// use std::sync::Arc;
/// use async_trait::async_trait;
/// use tidings_activity::{Activity, ChannelAccount};
/// use tidings_directline::{BaseUrl, BotEndpoint, BotReply, DirectLine, DirectLineOptions, MIGRATIONS};
/// use tidings_store::Database;
///
/// struct Deaf;
///
/// #[async_trait]
/// impl BotEndpoint for Deaf {
///     async fn deliver(&self, _activity: Activity) -> BotReply {
///         BotReply::status(200)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let database = Database::temporary([MIGRATIONS])?;
/// let options = DirectLineOptions::new(BaseUrl::fixed("http://127.0.0.1:3978"), ChannelAccount::new("bot", "Bot"));
/// let channel = DirectLine::open(database, options).await?;
/// channel.connect(Arc::new(Deaf));
/// let app: axum::Router = channel.router();
/// # let _ = app;
/// # channel.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectLine(Arc<Channel>);

impl DirectLine {
    /// Opens the channel on a database that was opened with [`MIGRATIONS`](crate::MIGRATIONS).
    ///
    /// # Errors
    ///
    /// When the key that signs tokens can neither be read nor made.
    pub async fn open(db: Database, options: DirectLineOptions) -> Result<Self, StoreError> {
        Channel::open(db, options).await.map(Self)
    }

    /// Connects the bot, or another one in its place. Until then, what users send is kept and answered with
    /// 502 `BotError`.
    pub fn connect(&self, bot: Arc<dyn BotEndpoint>) {
        self.0.connect(bot);
    }

    /// All routes: [`client_router`](Self::client_router) and [`connector_router`](Self::connector_router).
    pub fn router(&self) -> Router {
        self.client_router().merge(self.connector_router())
    }

    /// The `serviceUrl` that the bot is told, now: the connector's address, and with a secret `/local/{key}`
    /// after it.
    ///
    /// What sends for the bot must be allowed to call it, and needs no token there. With a secret it is a
    /// secret itself: whoever knows it can speak as the bot in every conversation. It stays the same after a
    /// restart and with another Direct Line secret, so that stored conversation references stay good, as long
    /// as the database and the address are the same.
    ///
    /// ```
    /// # use tidings_activity::ChannelAccount;
    /// # use tidings_directline::{BaseUrl, DirectLine, DirectLineOptions, MIGRATIONS};
    /// # use tidings_store::Database;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let database = Database::temporary([MIGRATIONS])?;
    /// let options = DirectLineOptions::new(BaseUrl::fixed("https://chat.example"), ChannelAccount::new("bot", "Bot"))
    ///     .with_connector_url(BaseUrl::fixed("http://127.0.0.1:3978"))
    ///     .with_secret("a long random text".into());
    /// let channel = DirectLine::open(database, options).await?;
    /// assert!(channel.service_url().starts_with("http://127.0.0.1:3978/local/"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn service_url(&self) -> String {
        self.0.service_url()
    }

    /// What clients call: `/v3/directline/...`, with CORS for any origin, and `GET /v3/attachments/...`,
    /// without.
    ///
    /// Which origins may call is for the server to decide before it routes here: in local mode without a
    /// secret, any page that reaches these routes can read the chats.
    pub fn client_router(&self) -> Router {
        client_routes::router(Arc::clone(&self.0))
    }

    /// What the bot calls: `/v3/conversations/...`, and with a secret the same below `/local/{key}`.
    ///
    /// There are no tokens on this side. In local mode, a conversation's unguessable id is what protects it.
    /// But its users know that id, so with a secret the routes are only below the path of
    /// [`service_url`](Self::service_url), together with `GET /v3/attachments/...` for a bot that reads files
    /// where it sends; every other path is 404.
    pub fn connector_router(&self) -> Router {
        connector_routes::router(Arc::clone(&self.0))
    }

    /// What shall go wrong on the connector side; for tests.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// What is kept of a conversation: its activities in the order of their ids, as clients see them, without
    /// deleted ones and without what no history keeps (`typing`, `trace`, `invoke`, `conversationUpdate`).
    /// `None` if it was never started.
    ///
    /// # Errors
    ///
    /// When the database cannot be read.
    pub async fn history(&self, conversation_id: &str) -> Result<Option<Vec<Activity>>, StoreError> {
        let id = conversation_id.to_owned();
        self.0
            .db
            .read(move |tx| {
                let Some(conversation) = Conversation::find(tx, &id)? else {
                    return Ok(None);
                };
                History::new(tx, conversation.number, &conversation.id)
                    .all()
                    .map(Some)
            })
            .await
    }

    /// Closes every socket with 1001, refuses what clients still send with 503, and waits until each delivery
    /// to the bot has ended. Until then the connector side goes on, so that running turns can say what they
    /// have to say.
    pub async fn close(&self) {
        self.0.closing.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl fmt::Debug for DirectLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DirectLine")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}
