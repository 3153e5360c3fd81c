//! What the operator can set, and where from: flag, environment, `.env`, `tidings.toml`, `.bot` file.

mod bot_file;
mod connection;
mod error;
pub(crate) mod identity;
mod key;
mod layers;
mod listen;
mod names;
mod secret;
mod shown;
mod value;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tidings_connector::{AppType, Cloud};

pub use error::ConfigError;
pub use identity::{AppCredential, CertificateKey};
use key::{APP_TENANT_ID, APP_TYPE, KEYS};
use layers::{Layers, Setting};
use names::Names;
pub use secret::Secret;
pub(crate) use value::{header_list, is_loopback};

/// Every setting of the server.
///
/// [`Config::load`] reads them as `tidings serve` does; [`Config::default`] is local mode on 127.0.0.1:3978.
/// [`Config::MANUAL`] documents each key.
///
/// ```
/// let config = tidings_server::Config { listen: ([127, 0, 0, 1], 0).into(), ..Default::default() };
/// assert_eq!(config.database, "sqlite://tidings.db");
/// ```
#[derive(Clone, PartialEq)]
pub struct Config {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The database: `sqlite://relative.db`, `sqlite:///absolute.db`, a path, or `postgres://user:password@host/name`.
    pub database: String,
    /// The largest size of an SQLite database in pages of 4096 bytes; `None` is no limit.
    pub database_max_pages: Option<u32>,
    /// The bot's name in the local channel.
    pub bot_name: String,
    /// The bot's app id; `None` is local mode.
    pub app_id: Option<String>,
    /// The bot's client secret.
    pub app_password: Option<Secret>,
    /// How the bot is registered.
    pub app_type: AppType,
    /// The tenant the bot is registered in; needed by all but multi-tenant bots.
    pub app_tenant_id: Option<String>,
    /// A file with the certificate that the bot proves itself with, PEM; the private key may stand in it too.
    pub certificate_file: Option<PathBuf>,
    /// The certificate's SHA-1 thumbprint in hexadecimal.
    pub certificate_thumbprint: Option<String>,
    /// The certificate's private key, PEM.
    pub certificate_key: Option<Secret>,
    /// A file with the certificate's private key, PEM.
    pub certificate_key_file: Option<PathBuf>,
    /// The client id of the managed identity whose token is the bot's federated credential.
    pub federated_client_id: Option<String>,
    /// A file with the token that is the bot's federated credential.
    pub federated_token_file: Option<PathBuf>,
    /// The cloud's addresses and names, with what replaces some of them.
    pub cloud: Cloud,
    /// The app ids of other bots that may call this one as a skill; `*` is any.
    pub allowed_callers: Vec<String>,
    /// The address that the internet reaches this server by, without a trailing slash.
    pub public_url: Option<String>,
    /// Whether the local channel is served; `None`: in local mode only.
    pub local_channel: Option<bool>,
    /// What clients of the local channel must know.
    pub direct_line_secret: Option<Secret>,
    /// How long a turn may run before the channel is told that its activity is taken care of: under 15 s.
    pub slow_turn_after: Duration,
    /// How long a process that shows no life keeps its conversations; then others bring what is owed there.
    pub lease: Duration,
    /// The most deliveries of one conversation that have not ended.
    pub max_backlog: u32,
    /// The most deliveries of all conversations of one tenant that have not ended.
    pub max_tenant_backlog: u32,
    /// How long deliveries that have ended stay on record.
    pub retention: Duration,
    /// Names that may stand in `Host` and `Origin`, beside loopback ones; asked in local mode only.
    pub allowed_hosts: Vec<String>,
    /// Further hosts a serviceUrl may have: `host` for any port, or `host:port`. With an app id they get tokens.
    pub allowed_service_hosts: Vec<String>,
    /// How many connections are served at the same time.
    pub max_connections: usize,
    /// How long the head of a request may take, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long the body of a request to the bot may take, and how long a body may pause on other routes.
    pub body_timeout: Duration,
    /// How long connecting to a channel may take.
    pub connect_timeout: Duration,
    /// How long one call to a channel may take.
    pub send_timeout: Duration,
    /// How long running turns may take to finish at shutdown.
    pub shutdown_timeout: Duration,
    /// The collector that traces are sent to by OTLP over HTTP, without `/v1/traces`; `None`: there are no traces.
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector, as `name=value,name=value`.
    pub otlp_headers: Option<Secret>,
    /// What this server is called in traces.
    pub service_name: String,
    /// Which share of the traces that begin here is collected, 0 to 1.
    pub trace_ratio: f64,
    /// What is logged: a level or a filter.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// What was given on the command line; it wins over every other place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--listen`
    pub listen: Option<String>,
    /// `--database`
    pub database: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--config`: the file to read in place of `tidings.toml`; it must exist.
    pub config: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, listen::DEFAULT_PORT)),
            database: "sqlite://tidings.db".to_owned(),
            database_max_pages: None,
            bot_name: "Tidings".to_owned(),
            app_id: None,
            app_password: None,
            app_type: AppType::MultiTenant,
            app_tenant_id: None,
            certificate_file: None,
            certificate_thumbprint: None,
            certificate_key: None,
            certificate_key_file: None,
            federated_client_id: None,
            federated_token_file: None,
            cloud: Cloud::public(),
            allowed_callers: Vec::new(),
            public_url: None,
            local_channel: None,
            direct_line_secret: None,
            slow_turn_after: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            max_backlog: 10_000,
            max_tenant_backlog: 1_000_000,
            retention: Duration::from_hours(30 * 24),
            allowed_hosts: Vec::new(),
            allowed_service_hosts: Vec::new(),
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            send_timeout: Duration::from_secs(12),
            shutdown_timeout: Duration::from_secs(25),
            otlp_endpoint: None,
            otlp_headers: None,
            service_name: "tidings".to_owned(),
            trace_ratio: 1.0,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// The file `config.default.toml`: every key with its default and what it means.
    pub const MANUAL: &'static str = include_str!("../config.default.toml");

    /// Reads the configuration of this process: `flags`, then the environment, then `.env` and `tidings.toml` in
    /// the working directory, then the `.bot` file that one of those names.
    ///
    /// # Errors
    ///
    /// An unreadable file, an unknown key, a value that does not fit, or settings that do not go together; the message
    /// names the place and the key, and never a secret.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        // What is no text cannot be any of our settings.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::load_from(flags, environment, Path::new(""))
    }

    /// As [`Config::load`], with the environment and the directory of the files passed in.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_from(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let layers = Layers::read(flags, Names::new(environment), directory)?;
        let mut config = Self::default();
        for key in KEYS {
            if let Some(setting) = layers.get(key) {
                config.set(key.name, &setting)?;
            }
        }
        // In the Agents SDK a connection with a tenant asks that tenant for tokens.
        let tenant = layers.get(&APP_TENANT_ID).filter(|tenant| tenant.of_connection);
        if tenant.is_some() && layers.get(&APP_TYPE).is_none() {
            config.app_type = AppType::SingleTenant;
        }
        identity::check(&config)?;
        Ok(config)
    }

    fn set(&mut self, name: &str, setting: &Setting) -> Result<(), ConfigError> {
        let text = setting.text();
        // Ids and names are copied by hand, with the space around them.
        let trimmed = || Some(text.trim().to_owned());
        let path = || Some(PathBuf::from(text));
        match name {
            "listen" => self.listen = setting.parse(listen::parse)?,
            "database" => self.database = setting.parse(value::not_empty)?,
            "database_max_pages" => {
                let pages: u32 = setting.parse(value::number)?;
                self.database_max_pages = (pages > 0).then_some(pages);
            }
            "bot_name" => self.bot_name = setting.parse(value::not_empty)?,
            "app_id" => self.app_id = trimmed(),
            "app_password" => self.app_password = Some(text.into()),
            "app_type" => self.app_type = setting.parse(str::parse)?,
            "app_tenant_id" => self.app_tenant_id = trimmed(),
            "certificate_file" => self.certificate_file = path(),
            "certificate_thumbprint" => self.certificate_thumbprint = trimmed(),
            // One line is all that some places take.
            "certificate_key" => self.certificate_key = Some(text.replace("\\n", "\n").as_str().into()),
            "certificate_key_file" => self.certificate_key_file = path(),
            "federated_client_id" => self.federated_client_id = trimmed(),
            "federated_token_file" => self.federated_token_file = path(),
            // They have said what they know as the lowest layer.
            "bot_file" | "bot_file_secret" | "bot_file_endpoint" => {}
            "channel_service" => self.cloud = setting.parse(value::cloud)?,
            "login_url" => self.cloud.login_url = setting.parse(value::base_address)?,
            "oauth_scope" => self.cloud.oauth_scope = value::scope(text),
            "channel_issuer" => self.cloud.channel_issuer = text.trim().to_owned(),
            "channel_metadata_url" => self.cloud.channel_metadata_url = setting.parse(value::address)?,
            "emulator_metadata_url" => self.cloud.emulator_metadata_url = setting.parse(value::address)?,
            "oauth_url" => self.cloud.oauth_url = setting.parse(value::base_address)?,
            "caller_id" => self.cloud.caller_id = text.trim().to_owned(),
            "public_url" => self.public_url = Some(setting.parse(value::base_address)?),
            "allowed_callers" => self.allowed_callers = value::list(text),
            "local_channel" => self.local_channel = setting.parse(value::switch)?,
            "direct_line_secret" => self.direct_line_secret = Some(text.into()),
            "slow_turn_after" => self.slow_turn_after = setting.parse(value::slow_turn)?,
            "lease" => self.lease = setting.parse(value::lease)?,
            "max_backlog" => self.max_backlog = setting.parse(value::backlog)?,
            "max_tenant_backlog" => self.max_tenant_backlog = setting.parse(value::backlog)?,
            "retention" => self.retention = setting.parse(value::retention)?,
            "allowed_hosts" => self.allowed_hosts = setting.parse(value::hosts)?,
            "allowed_service_hosts" => self.allowed_service_hosts = setting.parse(value::hosts_with_ports)?,
            "max_connections" => self.max_connections = setting.parse(value::at_least_one)?,
            "header_timeout" => self.header_timeout = setting.parse(value::duration)?,
            "body_timeout" => self.body_timeout = setting.parse(value::duration)?,
            "connect_timeout" => self.connect_timeout = setting.parse(value::duration)?,
            "send_timeout" => self.send_timeout = setting.parse(value::duration)?,
            "shutdown_timeout" => self.shutdown_timeout = setting.parse(value::duration)?,
            "otlp_endpoint" => self.otlp_endpoint = Some(setting.parse(value::collector)?),
            "otlp_headers" => {
                setting.parse(header_list)?;
                self.otlp_headers = Some(text.into());
            }
            "service_name" => self.service_name = setting.parse(value::not_empty)?,
            "trace_ratio" => self.trace_ratio = setting.parse(value::ratio)?,
            "log" => self.log = text.to_owned(),
            "log_format" => self.log_format = setting.parse(str::parse)?,
            unknown => unreachable!("{unknown} stands in KEYS and is not read"),
        }
        Ok(())
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
