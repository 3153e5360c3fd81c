use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::Trust;
use crate::OpenError;

/// The schema that holds our tables unless another one is named.
const SCHEMA: &str = "tidings";

/// How long a server may take to answer the phone.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the usual packages put the server's socket.
const SOCKET_FOLDER: &str = "/var/run/postgresql";

/// A PostgreSQL database as its URL names it: `postgres://user:password@host:port/database?sslmode=...&schema=...`.
#[derive(Clone)]
pub(in crate::database) struct ServerUrl {
    pub(super) config: Config,
    pub(super) schema: String,
    verifies: bool,
    authorities: Option<PathBuf>,
}

impl ServerUrl {
    /// Reads a URL. `password` is used if the URL has none.
    pub(in crate::database) fn parse(url: &str, password: Option<String>) -> Result<ServerUrl, OpenError> {
        let unusable = |reason: String| OpenError::Url {
            url: without_secrets(url),
            reason,
        };
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut schema = SCHEMA.to_owned();
        let mut mode = "prefer".to_owned();
        let mut authorities = None;
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !key
                .bytes()
                .all(|letter| letter.is_ascii_lowercase() || letter == b'_')
            {
                // It may well be the rest of a password.
                return Err(unusable(
                    "what follows the ? is not an option; in a password write %3F for it".to_owned(),
                ));
            }
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| unusable(format!("{key} is not UTF-8")))?;
            match key {
                "schema" => schema = value.into_owned(),
                "sslmode" => mode = value.into_owned(),
                "sslrootcert" => authorities = Some(PathBuf::from(value.into_owned())),
                _ => kept.push(pair),
            }
        }
        check_schema(&schema).map_err(|reason| unusable(reason.to_owned()))?;
        let place = with_encoded_user(place);
        let mut config: Config = format!("{place}?{}", kept.join("&"))
            .parse()
            .map_err(|error| unusable(crate::postgres_error::words(&error)))?;
        let (ssl_mode, verifies) = match mode.as_str() {
            "disable" => (SslMode::Disable, false),
            "allow" | "prefer" => (SslMode::Prefer, false),
            "require" | "verify-ca" | "verify-full" => (SslMode::Require, true),
            _ => {
                return Err(unusable(
                    "sslmode is one of disable, prefer, require, verify-full".to_owned(),
                ));
            }
        };
        config.ssl_mode(ssl_mode);
        complete(&mut config, password);
        Ok(ServerUrl {
            config,
            schema,
            verifies,
            authorities,
        })
    }

    /// The same database, another schema.
    pub(in crate::database) fn set_schema(&mut self, schema: String) {
        self.schema = schema;
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        match &self.authorities {
            Some(file) if self.verifies => Trust::Authorities(file),
            None if self.verifies => Trust::Platform,
            _ => Trust::Anyone,
        }
    }

    /// The server for people: `host:5432`, or the path of a socket.
    pub(super) fn server(&self) -> String {
        let ports = self.config.get_ports();
        let port_of = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let hosts = (0..)
            .zip(self.config.get_hosts())
            .map(|(index, host)| match host {
                Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port_of(index)),
                Host::Tcp(name) => format!("{name}:{}", port_of(index)),
                #[cfg(unix)]
                Host::Unix(folder) => folder
                    .join(format!(".s.PGSQL.{}", port_of(index)))
                    .display()
                    .to_string(),
            });
        let addresses = self.config.get_hostaddrs().iter().map(ToString::to_string);
        let names: Vec<String> = hosts.collect();
        if names.is_empty() {
            addresses.collect::<Vec<_>>().join(",")
        } else {
            names.join(",")
        }
    }

    pub(super) fn user(&self) -> &str {
        self.config.get_user().unwrap_or("the user of this process")
    }

    pub(super) fn name(&self) -> &str {
        let user = self.config.get_user().unwrap_or_default();
        self.config.get_dbname().unwrap_or(user)
    }
}

impl fmt::Display for ServerUrl {
    /// Without user, password and options.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "postgres://{}/{}", self.server(), self.name())?;
        if self.schema == SCHEMA {
            Ok(())
        } else {
            write!(formatter, "?schema={}", self.schema)
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ServerUrl({self})")
    }
}

/// What was left out of the URL.
fn complete(config: &mut Config, password: Option<String>) {
    if let (None, Some(password)) = (config.get_password(), password) {
        config.password(password);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        if Path::new(SOCKET_FOLDER).is_dir() {
            config.host(SOCKET_FOLDER);
        } else {
            config.host("localhost");
        }
    }
    let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
    if hosts > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
        // Whichever of them is the primary server now.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_application_name().is_none() {
        config.application_name("tidings");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    // A server that vanished without a word is noticed within half a minute, not within two hours.
    config
        .keepalives_idle(Duration::from_secs(15))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(20));
    }
}

/// Names that need no quoting, so that nobody has to guess what is quoted where.
pub(in crate::database) fn check_schema(schema: &str) -> Result<(), &'static str> {
    let fits = (1..=63).contains(&schema.len())
        && schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && schema
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        && !schema.starts_with("pg_");
    if fits {
        Ok(())
    } else {
        Err("a schema's name has up to 63 small letters, digits and underscores, and does not begin with pg_")
    }
}

/// A password may hold an `@` that nobody encoded: the last one ends it.
fn with_encoded_user(place: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = place.split_once("://") else {
        return Cow::Borrowed(place);
    };
    match rest.rsplit_once('@') {
        Some((user, host)) if user.contains('@') => {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let password = percent_decode_str(password).collect::<Vec<u8>>();
            let password = percent_encode(&password, NON_ALPHANUMERIC);
            Cow::Owned(format!(
                "{scheme}://{}:{password}@{host}",
                name.replace('@', "%40")
            ))
        }
        _ => Cow::Borrowed(place),
    }
}

/// The URL without user, password and options, none of which must reach a log.
pub(in crate::database) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    if options.contains('@') {
        // Either there is a question mark in the password, or an at sign in an option.
        return format!("{scheme}://...");
    }
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> ServerUrl {
        ServerUrl::parse(url, None).unwrap()
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, shown) in [
            (
                "postgres://ana:secret@db.example:5433/bots",
                "postgres://db.example:5433/bots",
            ),
            (
                "postgresql://ana:secret@db.example/bots?sslmode=require",
                "postgres://db.example:5432/bots",
            ),
            (
                "postgres://ana:s@cr@t@db.example/bots",
                "postgres://db.example:5432/bots",
            ),
            (
                "postgres://ana:s%40cret@db.example/bots?schema=blue",
                "postgres://db.example:5432/bots?schema=blue",
            ),
            ("postgres://[::1]:5433/bots", "postgres://[::1]:5433/bots"),
            ("postgres://ana@a:1,b:2/bots", "postgres://a:1,b:2/bots"),
            ("postgres://db/bots?password=secret", "postgres://db:5432/bots"),
        ] {
            let url = parse(url);
            assert_eq!(url.to_string(), shown);
            let debug = format!("{url:?}");
            assert!(!debug.contains("secret") && !debug.contains("cr@t"), "{debug}");
        }
    }

    #[test]
    fn passwords_arrive_whole() {
        let password = |url: &str, fallback: Option<&str>| {
            let url = ServerUrl::parse(url, fallback.map(str::to_owned)).unwrap();
            url.config
                .get_password()
                .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(
            password("postgres://ana:a%40b@host/x", None).as_deref(),
            Some("a@b")
        );
        assert_eq!(
            password("postgres://ana:a@b:c@host/x", None).as_deref(),
            Some("a@b:c")
        );
        assert_eq!(
            password("postgres://ana:a%20@b@host/x", None).as_deref(),
            Some("a @b")
        );
        assert_eq!(
            password("postgres://ana:a/b@host/x", None).as_deref(),
            Some("a/b")
        );
        assert_eq!(password("postgres://ana@host/x", None), None);
        assert_eq!(
            password("postgres://ana@host/x", Some("from PGPASSWORD")).as_deref(),
            Some("from PGPASSWORD")
        );
        assert_eq!(
            password("postgres://ana:own@host/x", Some("other")).as_deref(),
            Some("own")
        );
    }

    #[test]
    fn of_several_servers_the_primary_one_is_used() {
        for (url, attributes) in [
            ("postgres://db/bots", TargetSessionAttrs::Any),
            ("postgres://a,b/bots", TargetSessionAttrs::ReadWrite),
            (
                "postgres://a,b/bots?target_session_attrs=read-only",
                TargetSessionAttrs::ReadOnly,
            ),
        ] {
            assert_eq!(parse(url).config.get_target_session_attrs(), attributes, "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_named_by_its_folder() {
        for url in [
            "postgres:///bots?host=/run/pg&port=5433",
            "postgres://%2Frun%2Fpg:5433/bots",
            "postgres://ana@/bots?port=5433&host=%2Frun%2Fpg",
        ] {
            assert_eq!(parse(url).server(), "/run/pg/.s.PGSQL.5433", "{url}");
        }
    }

    #[test]
    fn trust_follows_the_mode() {
        let with = |query: &str| parse(&format!("postgres://db/bots?{query}"));
        assert_eq!(with("").config.get_ssl_mode(), SslMode::Prefer);
        assert_eq!(with("").trust(), Trust::Anyone);
        assert_eq!(with("sslmode=disable").config.get_ssl_mode(), SslMode::Disable);
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = with(&format!("sslmode={mode}"));
            assert_eq!(
                (url.config.get_ssl_mode(), url.trust()),
                (SslMode::Require, Trust::Platform)
            );
        }
        let own = with("sslmode=verify-full&sslrootcert=/etc/ca.pem");
        assert_eq!(own.trust(), Trust::Authorities(Path::new("/etc/ca.pem")));
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong_and_not_the_password() {
        for (url, expected) in [
            ("postgres://ana:secret@db/bots?sslmode=sometimes", "sslmode"),
            ("postgres://ana:secret@db/bots?colour=blue", "colour"),
            ("postgres://ana:secret@db:many/bots", "port"),
            ("postgres://ana:secret@db/bots?schema=My%20Schema", "schema"),
            ("postgres://ana:secret@db/bots?schema=pg_catalog", "schema"),
            ("postgres://ana:s?secret@db/bots", "%3F"),
            (
                "postgres://ana:secret@db/bots?connect_timeout=soon&password=secret",
                "connect_timeout",
            ),
        ] {
            let text = ServerUrl::parse(url, None).unwrap_err().to_string();
            assert!(text.contains(expected) && !text.contains("secret"), "{text}");
        }
    }
}
