//! The server: everything wired together, bound to an address, run until it is told to stop.

use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use http::header;
use prometheus_client::metrics::counter::Counter;
use tidings_activity::ChannelAccount;
use tidings_bot::{Adapter, AdapterBuilder, Bot};
use tidings_connector::ConnectorClient;
use tidings_connector::jwt::Authenticator;
use tidings_directline::{BaseUrl, DirectLine, DirectLineOptions};
use tidings_proactive::{Proactive, ProactiveOptions};
use tidings_store::{Database, SystemClock};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::access::{ApiAccess, access_for, check_listen};
use crate::api::Api;
use crate::audit::Audit;
use crate::config::{Config, identity};
use crate::database::open_database;
use crate::drain::Drain;
use crate::guard::Guard;
use crate::http_server::{self, Front};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::proactive_channel::ProactiveChannel;
use crate::signal::StopSignals;
use crate::start_error::StartError;
use crate::telemetry::Propagation;
use crate::turns::Turns;
use crate::{health, messages, page, telemetry};

/// The bot's id in the local channel.
const BOT_ID: &str = "bot";
/// Connections that wait to be accepted. With the usual 128, a burst of callers finds the queue full, and whoever does
/// tries again only after a second.
const LISTEN_QUEUE: u32 = 1024;
/// How long the worker may take to put down what it is sending, once turns are over or cut off.
const SETTLE: Duration = Duration::from_secs(2);

/// A bot with everything around it, bound to its address and not yet serving.
///
/// ```no_run
/// # async fn example(bot: impl tidings_bot::Bot) -> Result<(), tidings_server::StartError> {
/// use tidings_server::{Config, Flags, Server};
///
/// let config = Config::load(&Flags::default())?;
/// let server = Server::bind(&config, bot).await?;
/// println!("open {}", server.base_url());
/// server.run_until_signal().await
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    base_url: String,
    database: Database,
    access: ApiAccess,
    keys: Keys,
    authenticator: Option<Arc<Authenticator>>,
    connector: ConnectorClient,
    adapter: Adapter,
    proactive: Proactive,
    direct_line: DirectLine,
}

impl Server {
    /// Takes the address, opens the database and puts the bot together. Requests wait in the listen queue until
    /// [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// What stands in the way; the message says what to do about it.
    pub async fn bind(config: &Config, bot: impl Bot) -> Result<Self, StartError> {
        Self::bind_with(config, bot, |adapter| adapter).await
    }

    /// As [`bind`](Self::bind), with an adapter that `set_up` adds to: middleware, services, states, observers. The
    /// database, the connector, [`Jobs`](tidings_proactive::Jobs) and [`Proactive`] are in it already.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn bind_with(
        config: &Config,
        bot: impl Bot,
        set_up: impl FnOnce(AdapterBuilder) -> AdapterBuilder,
    ) -> Result<Self, StartError> {
        identity::check(config)?;
        check_listen(config)?;
        // What does not hang together is found before a file is made.
        let authenticator = config.authenticator()?.map(Arc::new);
        let credentials = config.app_credentials()?;
        let listener = listen(config.listen)?;
        let listen_error = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let address = listener.local_addr().map_err(listen_error)?;
        let base_url = format!("http://{}", own(address));

        let database = open_database(config)?;
        let keys = Keys::open(database.clone(), Arc::new(SystemClock)).await?;
        let access = access_for(config, &keys)?;
        let direct_line = DirectLine::open(database.clone(), local_channel(config, address)).await?;
        let service_urls = match config.app_id.is_some() && config.local_channel_is_on() {
            // What stays in this process is no channel's and needs no token.
            true => config
                .service_urls()
                .exempt(&direct_line.service_url())
                .map_err(|error| StartError::Bot(error.to_string()))?,
            false => config.service_urls(),
        };
        let connector = ConnectorClient::builder()
            .service_urls(service_urls)
            .product(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.connect_timeout)
            .timeout(config.send_timeout);
        let connector = match credentials {
            Some(credentials) => connector.credentials(Arc::new(credentials)),
            None => connector,
        }
        .propagate(telemetry::inject)
        .build()?;
        let mut options = ProactiveOptions::default();
        options.lease = config.lease;
        options.max_backlog = config.max_backlog;
        options.max_tenant_backlog = config.max_tenant_backlog;
        options.retention = config.retention;
        options.node = own(address).to_string();
        options.shared = database.is_multi_node();
        options.trace = Some(Arc::new(Propagation));
        let proactive = Proactive::with_options(database.clone(), Arc::new(SystemClock), options);
        let adapter = Adapter::builder()
            .connector(connector.clone())
            .storage(Arc::new(database.clone()))
            .slow_turn_after(config.slow_turn_after)
            .take_over_after(config.lease)
            .observer(Arc::new(proactive.clone()))
            .service(proactive.clone())
            .service(proactive.jobs())
            .bot(bot);
        let adapter = set_up(adapter)
            .build()
            .map_err(|error| StartError::Bot(error.to_string()))?;
        let config = config.clone();
        Ok(Self {
            config,
            listener,
            address,
            base_url,
            database,
            access,
            keys,
            authenticator,
            connector,
            adapter,
            proactive,
            direct_line,
        })
    }

    /// The address that is listened on, with the port that was picked for port 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address of the page, without a trailing slash: `http://127.0.0.1:3978`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where the database is, for people: its file, or the address of its server without user and password.
    #[must_use]
    pub fn database(&self) -> String {
        self.database.location()
    }

    /// The adapter, for turns that begin in the program itself.
    #[must_use]
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// The engine, for jobs and notices that begin in the program itself.
    #[must_use]
    pub fn proactive(&self) -> &Proactive {
        &self.proactive
    }

    /// The local channel.
    #[must_use]
    pub fn direct_line(&self) -> &DirectLine {
        &self.direct_line
    }

    /// The keys of the API.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Logs where everything is, for programs that print nothing themselves.
    pub fn log_ready(&self) {
        tracing::info!(
            server.address = %self.address,
            server.page = format!("{}/", self.base_url),
            bot.endpoint = format!("{}/api/messages", self.base_url),
            database.location = %self.database.location(),
            "Tidings is ready: the bot is at {}/api/messages and the page at {}/",
            self.base_url,
            self.base_url,
        );
    }

    /// Serves until SIGTERM or SIGINT (Ctrl-C), then stops as [`run`](Self::run) does. A second signal stops at once.
    ///
    /// # Errors
    ///
    /// Signals cannot be awaited.
    pub async fn run_until_signal(self) -> Result<(), StartError> {
        let mut signals = StopSignals::listen().map_err(StartError::Signals)?;
        let stop = CancellationToken::new();
        let mut run = std::pin::pin!(self.run(stop.clone().cancelled_owned()));
        tokio::select! {
            () = run.as_mut() => return Ok(()),
            () = signals.next() => stop.cancel(),
        }
        tokio::select! {
            () = run => {}
            () = signals.next() => tracing::warn!("stopped at once by a second signal; running turns were cut off"),
        }
        Ok(())
    }

    /// Serves until `shutdown` completes, then takes nothing new, lets running turns finish for at most the
    /// configured time, closes sockets, lets the delivery worker put down what it is sending, and closes the database.
    /// What a killed process leaves behind, the next start takes up again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let turns = Turns(self.adapter.clone());
        self.direct_line.connect(Arc::new(turns.clone()));
        let drain = Drain::default();
        let (closing, stop_accepting) = (CancellationToken::new(), CancellationToken::new());
        let worker = self.start_worker(drain.clone());
        let oversized = Counter::default();
        let audit = Audit::new(self.database.clone(), Arc::new(SystemClock));
        let front = Front {
            // With an app id nobody is let in for where he comes from: tokens and keys decide.
            guard: match self.access {
                ApiAccess::Local => Some(Guard::new(self.config.allowed_hosts.clone())),
                ApiAccess::Keys => None,
            },
            drain: drain.clone(),
            messages: Arc::new(messages::Endpoint {
                turns,
                authenticator: self.authenticator.clone(),
                connector: self.connector.clone(),
                body_timeout: self.config.body_timeout,
            }),
            router: self.router(&closing, oversized.clone(), audit.clone()),
            oversized,
        };
        // Before the first request: what was acknowledged goes first.
        if let Err(error) = self.adapter.resume().await {
            tracing::error!(error = %error, "turns that were acknowledged could not be taken up; they wait for the next start");
        }
        let config = self.config.clone();
        let stop = stop_accepting.clone();
        let listener = self.listener;
        let accepting = tokio::spawn(async move { http_server::serve(listener, front, &config, stop).await });

        shutdown.await;
        tracing::info!("shutting down: running turns may finish");
        // The local connector is still served: running turns and the worker send through it.
        drain.begin();
        if timeout(self.config.shutdown_timeout, self.adapter.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                shutdown.timeout_s = self.config.shutdown_timeout.as_secs(),
                "turns that ran too long were cut off; those that were acknowledged go on at the next start"
            );
            self.adapter.put_down().await;
        }
        if timeout(SETTLE, worker).await.is_err() {
            tracing::warn!(
                "a delivery was cut off while it was being sent; it is taken up again at the next start"
            );
        }
        closing.cancel();
        let _stuck_deliveries = timeout(SETTLE, self.direct_line.close()).await;
        stop_accepting.cancel();
        if accepting.await.is_err() {
            tracing::error!("the accept loop had died");
        }
        let _unanswered_database = timeout(SETTLE, audit.settled()).await;
        self.database.close().await;
    }

    fn start_worker(&self, drain: Drain) -> JoinHandle<()> {
        let channel = Arc::new(ProactiveChannel {
            adapter: self.adapter.clone(),
            connector: self.connector.clone(),
            local: self
                .config
                .local_channel_is_on()
                .then(|| self.direct_line.service_url()),
        });
        let proactive = self.proactive.clone();
        tokio::spawn(async move {
            if let Err(error) = proactive.run(channel, drain.token()).await {
                tracing::error!(error = %error, "the delivery worker could not start; notices wait for the next start");
            }
        })
    }

    fn router(&self, closing: &CancellationToken, oversized: Counter, audit: Audit) -> Router {
        // What users and bots upload must never act as a page of this origin.
        let inert = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
        let nosniff = HeaderValue::from_static("nosniff");
        let local_channel = self
            .direct_line
            .router()
            .layer(RequestBodyTimeoutLayer::new(self.config.body_timeout))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::CONTENT_SECURITY_POLICY,
                inert,
            ))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::X_CONTENT_TYPE_OPTIONS,
                nosniff,
            ));
        let api = Api {
            access: self.access,
            keys: self.keys.clone(),
            audit,
            proactive: self.proactive.clone(),
            intake: Arc::new(self.proactive.clone()),
            metrics: Metrics {
                authenticator: self.authenticator.clone(),
                oversized,
                proactive: self.proactive.clone(),
                database: self.database.clone(),
            },
            // With keys, the page has no secret to chat with: the channel is for clients of one's own.
            local_channel: self.config.local_channel_is_on() && self.access == ApiAccess::Local,
            body_timeout: self.config.body_timeout,
        };
        let router = api
            .router(closing.clone())
            .merge(health::router(self.database.clone()))
            .merge(page::router(self.address, self.config.public_url.as_deref()));
        let router = if self.config.local_channel_is_on() {
            router.merge(local_channel)
        } else {
            router
        };
        router.layer(axum::middleware::from_fn(telemetry::request::traced))
    }
}

/// How this machine reaches an address that is listened on.
fn own(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// The local channel: its clients come by the public address if there is one, the bot by the one that is listened on.
fn local_channel(config: &Config, address: SocketAddr) -> DirectLineOptions {
    let own = format!("http://{}", own(address));
    let account = ChannelAccount::new(BOT_ID, config.bot_name.clone());
    let base_url = BaseUrl::fixed(config.public_url.as_deref().unwrap_or(&own));
    let options = DirectLineOptions::new(base_url, account).with_connector_url(BaseUrl::fixed(own));
    match &config.direct_line_secret {
        Some(secret) => options.with_secret((**secret).clone()),
        None => options,
    }
}

/// Takes the address.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // A restart may take the port at once. On Windows the same option would let another program take it too.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_QUEUE)
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => StartError::AddressTaken(address),
        _ => StartError::Listen { address, source },
    })
}
