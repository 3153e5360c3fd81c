//! What a [`DirectLine`](crate::DirectLine) is opened with: its address, its bot, its secret and its limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tidings_activity::ChannelAccount;
use tidings_store::{Clock, SystemClock};
use tokio::sync::watch;

/// An address of this server as clients or the bot reach it, asked for whenever a URL is written.
///
/// It may become known only after the listener is bound, so it is a source and not a string. A trailing slash
/// is cut off.
///
/// ```
/// use tidings_directline::BaseUrl;
///
/// let fixed = BaseUrl::fixed("http://127.0.0.1:3978/");
/// assert_eq!(fixed.get(), "http://127.0.0.1:3978");
///
/// let (bound, address) = tokio::sync::watch::channel(String::new());
/// let later = BaseUrl::watch(address);
/// bound.send_replace("http://127.0.0.1:49152".to_owned());
/// assert_eq!(later.get(), "http://127.0.0.1:49152");
/// ```
#[derive(Clone)]
pub struct BaseUrl(Arc<dyn Fn() -> String + Send + Sync>);

impl BaseUrl {
    /// An address that is known from the start.
    pub fn fixed(url: impl Into<String>) -> Self {
        let url = url.into();
        Self::from_fn(move || url.clone())
    }

    /// The newest value of a watch channel, for an address that is known once the listener is bound.
    #[must_use]
    pub fn watch(url: watch::Receiver<String>) -> Self {
        Self::from_fn(move || url.borrow().clone())
    }

    /// Whatever the function says, asked each time.
    pub fn from_fn(url: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(url))
    }

    /// The address now, without a trailing slash.
    #[must_use]
    pub fn get(&self) -> String {
        let mut url = (self.0)();
        url.truncate(url.trim_end_matches('/').len());
        url
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("BaseUrl").field(&self.get()).finish()
    }
}

/// How much of everything the channel accepts and keeps. [`Limits::default`] is what a server should run
/// with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Longest activity in characters of its JSON (262,144: Direct Line's 256 K). Above: 413
    /// `MessageSizeTooBig`.
    pub activity_characters: usize,
    /// Largest body of a connector request in bytes (1 MiB). Attachments have `upload_bytes` instead.
    pub body_bytes: usize,
    /// Largest upload in bytes, all its files together (4 MiB).
    pub upload_bytes: usize,
    /// Most files of one upload (32).
    pub upload_files: usize,
    /// Most bytes of all kept files together (256 MiB). Above: 429 until some expire.
    pub attachment_bytes: u64,
    /// How long a file can be fetched (24 hours).
    pub attachment_life: Duration,
    /// Most activities of one `GET .../activities` (1,000); the watermark leads on to the rest.
    pub page_activities: usize,
    /// Newest activities kept of one conversation (10,000).
    pub history_activities: u64,
    /// How long an activity is kept (14 days).
    pub history_life: Duration,
    /// Most members of one conversation (1,000).
    pub members: u64,
    /// Most live sockets together (1,000). Above: 429.
    pub sockets: usize,
    /// How long a token is good (30 minutes).
    pub token_life: Duration,
    /// How long the URL of a stream can be opened (60 s).
    pub stream_url_life: Duration,
    /// How long the bot may take over an activity before the client is told `BotError` (15 s). The turn goes
    /// on.
    pub bot_timeout: Duration,
    /// Most activities that the bot may have in hand at once, slow ones included (1,000). Above: 429, and
    /// nothing is kept.
    pub deliveries: usize,
    /// Pause after which an empty frame is sent over an idle WebSocket (20 s).
    pub keep_alive: Duration,
    /// How long one frame may take to leave before a slow socket is dropped (10 s); its client reconnects by
    /// watermark.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            activity_characters: 256 * 1024,
            body_bytes: 1024 * 1024,
            upload_bytes: 4 * 1024 * 1024,
            upload_files: 32,
            attachment_bytes: 256 * 1024 * 1024,
            attachment_life: DAY,
            page_activities: 1_000,
            history_activities: 10_000,
            history_life: 14 * DAY,
            members: 1_000,
            sockets: 1_000,
            token_life: Duration::from_secs(1_800),
            stream_url_life: Duration::from_secs(60),
            bot_timeout: Duration::from_secs(15),
            deliveries: 1_000,
            keep_alive: Duration::from_secs(20),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// What [`DirectLine::open`](crate::DirectLine::open) needs to know.
#[derive(Clone)]
#[non_exhaustive]
pub struct DirectLineOptions {
    /// The address that clients reach: the start of stream URLs (`wss` when it is `https`) and of attachment
    /// URLs.
    pub base_url: BaseUrl,
    /// The address by which the bot reaches the connector side: the start of its `serviceUrl`. `None` is
    /// `base_url`. For a bot in the same process behind a public `base_url`, the server's loopback address.
    pub connector_url: Option<BaseUrl>,
    /// The bot as its users see it: `recipient` of what they send, `from` of what it sends.
    pub bot: ChannelAccount,
    /// The Direct Line secret. Without one the channel is in local mode: a request without `Authorization` is
    /// trusted as the secret's holder would be. With one, every request needs the secret or a token made with
    /// it, and the connector side is open only under the key in the bot's `serviceUrl`
    /// ([`DirectLine::service_url`](crate::DirectLine::service_url)).
    pub secret: Option<SecretString>,
    /// What is accepted and kept.
    pub limits: Limits,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl DirectLineOptions {
    /// Local mode with the default limits and the system's clock.
    #[must_use]
    pub fn new(base_url: BaseUrl, bot: ChannelAccount) -> Self {
        Self {
            base_url,
            connector_url: None,
            bot,
            secret: None,
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Tells the bot another address than clients get.
    ///
    /// ```
    /// use tidings_activity::ChannelAccount;
    /// use tidings_directline::{BaseUrl, DirectLineOptions};
    ///
    /// let options = DirectLineOptions::new(BaseUrl::fixed("https://chat.example"), ChannelAccount::new("bot", "Bot"))
    ///     .with_connector_url(BaseUrl::fixed("http://127.0.0.1:3978"))
    ///     .with_secret("a long random text".into());
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_connector_url(mut self, connector_url: BaseUrl) -> Self {
        self.connector_url = Some(connector_url);
        self
    }

    /// Requires this secret, or a token made with it, of every client, and the key in
    /// [`DirectLine::service_url`](crate::DirectLine::service_url) of the bot.
    #[must_use]
    pub fn with_secret(mut self, secret: SecretString) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Replaces the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for DirectLineOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DirectLineOptions")
            .field("base_url", &self.base_url)
            .field("connector_url", &self.connector_url)
            .field("bot", &self.bot)
            .field("secret", &self.secret)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
