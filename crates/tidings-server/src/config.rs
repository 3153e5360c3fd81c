//! What the operator can set, and where from: flag, environment, `.env`, `tidings.toml`.

mod error;
mod key;
mod layers;
mod listen;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub use error::ConfigError;
use key::KEYS;
use layers::{Layers, Setting};

/// Every setting of the server.
///
/// [`Config::load`] reads them as `tidings serve` does; [`Config::default`] is local mode on 127.0.0.1:3978.
/// [`Config::MANUAL`] documents each key.
///
/// ```
/// let config = tidings_server::Config { listen: ([127, 0, 0, 1], 0).into(), ..Default::default() };
/// assert_eq!(config.database, "sqlite://tidings.db");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The database: `sqlite://relative.db`, `sqlite:///absolute.db` or a path.
    pub database: String,
    /// The largest size of the database in pages of 4096 bytes; `None` is no limit.
    pub database_max_pages: Option<u32>,
    /// The bot's name in the local channel.
    pub bot_name: String,
    /// The bot's app id; `None` is local mode.
    pub app_id: Option<String>,
    /// Names that may stand in `Host` and `Origin`, beside loopback ones.
    pub allowed_hosts: Vec<String>,
    /// Hosts a serviceUrl may have, beside loopback ones: `host` for any port, or `host:port`.
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
            allowed_hosts: Vec::new(),
            allowed_service_hosts: Vec::new(),
            max_connections: 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            send_timeout: Duration::from_secs(12),
            shutdown_timeout: Duration::from_secs(25),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

impl Config {
    /// The file `config.default.toml`: every key with its default and what it means.
    pub const MANUAL: &'static str = include_str!("../config.default.toml");

    /// Reads the configuration of this process: `flags`, then the environment, then `.env` and `tidings.toml` in
    /// the working directory.
    ///
    /// # Errors
    ///
    /// An unreadable file, an unknown key, or a value that does not fit; the message names the place and the key.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::load_from(flags, |name| std::env::var(name).ok(), Path::new(""))
    }

    /// As [`Config::load`], with the environment and the directory of the files passed in.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_from(
        flags: &Flags,
        environment: impl Fn(&str) -> Option<String>,
        directory: &Path,
    ) -> Result<Self, ConfigError> {
        let layers = Layers::read(flags, environment, directory)?;
        let mut config = Self::default();
        for key in KEYS {
            if let Some(setting) = layers.get(key) {
                config.set(key.name, &setting)?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, name: &str, setting: &Setting) -> Result<(), ConfigError> {
        let text = setting.text.as_str();
        match name {
            "listen" => self.listen = setting.parse(listen::parse)?,
            "database" => self.database = setting.parse(not_empty)?,
            "database_max_pages" => {
                let pages: u32 = setting.parse(number)?;
                self.database_max_pages = (pages > 0).then_some(pages);
            }
            "bot_name" => self.bot_name = setting.parse(not_empty)?,
            "app_id" => self.app_id = (!text.is_empty()).then(|| text.to_owned()),
            "allowed_hosts" => self.allowed_hosts = setting.parse(hosts)?,
            "allowed_service_hosts" => self.allowed_service_hosts = setting.parse(hosts_with_ports)?,
            "max_connections" => {
                self.max_connections = setting.parse(|text| match number(text)? {
                    0 => Err("must be at least 1".to_owned()),
                    connections => Ok(connections),
                })?;
            }
            "header_timeout" => self.header_timeout = setting.parse(duration)?,
            "body_timeout" => self.body_timeout = setting.parse(duration)?,
            "connect_timeout" => self.connect_timeout = setting.parse(duration)?,
            "send_timeout" => self.send_timeout = setting.parse(duration)?,
            "shutdown_timeout" => self.shutdown_timeout = setting.parse(duration)?,
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

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "must be a whole number".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| duration.try_into().ok())
        .filter(|duration: &Duration| !duration.is_zero())
        .ok_or_else(|| "must be a duration such as 500ms, 12s or 2m".to_owned())
}

fn hosts(text: &str) -> Result<Vec<String>, String> {
    listed(text)
        .map(|host| match url::Host::parse(host) {
            Ok(parsed) => Ok(parsed.to_string()),
            Err(_) => Err(format!(
                "must be host names without scheme, port and path, but has {host:?}"
            )),
        })
        .collect()
}

fn hosts_with_ports(text: &str) -> Result<Vec<String>, String> {
    listed(text)
        .map(|host| match url::Url::parse(&format!("http://{host}/")) {
            Ok(url) if url.path() == "/" && url.username().is_empty() && !host.contains(['?', '#']) => {
                Ok(host.to_owned())
            }
            _ => Err(format!(
                "must be HOST or HOST:PORT without scheme and path, but has {host:?}"
            )),
        })
        .collect()
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests;
