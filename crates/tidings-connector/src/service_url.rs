//! Which connectors may be called: the guard in front of every outgoing request.

pub(crate) mod error;
mod exempt;
pub(crate) mod guard;
mod microsoft_hosts;
mod reach;

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use http::uri::{Scheme, Uri};
use url::{Host, Url};

use self::error::ServiceUrlError;
use self::exempt::Exempt;
use self::guard::ServiceUrl;
use self::reach::Reach;

/// Decides by its `serviceUrl` whether a connector may be called.
///
/// Whoever sends us an activity chooses its `serviceUrl`, so without this guard a stranger could make the server call
/// any host in its network, and have the bot's token sent to it.
///
/// [`local`](Self::local) is for a bot without an app id, [`microsoft`](Self::microsoft) for one that has tokens to
/// lose. Both take further hosts by name.
///
/// The host is judged when an activity arrives and before each call; the addresses that its name has are judged before
/// each connection, which then goes to a judged address.
///
/// ```
/// use tidings_connector::ServiceUrlPolicy;
///
/// let policy = ServiceUrlPolicy::local().allow("emulator.lan").allow("10.0.0.7:8080");
/// assert!(policy.check("http://localhost:3978/").is_ok());
/// assert!(policy.check("https://emulator.lan:9000/base").is_ok());
/// assert!(policy.check("http://10.0.0.7:9090").is_err());
/// assert!(policy.check("https://example.com").unwrap_err().to_string().contains("serviceUrl"));
///
/// let policy = ServiceUrlPolicy::microsoft().allow("gateway.example.org");
/// assert!(policy.check("https://smba.trafficmanager.net/emea/").is_ok());
/// assert!(policy.check("https://gateway.example.org/").is_ok());
/// assert!(policy.check("http://smba.trafficmanager.net/emea/").is_err());
/// assert!(policy.check("http://127.0.0.1:3978/").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct ServiceUrlPolicy {
    base: Base,
    allowed: HashSet<String>,
    exempt: Vec<Exempt>,
}

/// What is allowed before anything is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Local,
    Microsoft,
}

impl ServiceUrlPolicy {
    /// Local mode: `http` and `https` to this machine only (127.0.0.0/8, `::1`, `localhost`), until
    /// [`allow`](Self::allow) adds more.
    #[must_use]
    pub fn local() -> Self {
        Self::with(Base::Local)
    }

    /// With an app id: Microsoft's channels, by `https` on its own port and on public addresses only, until
    /// [`allow`](Self::allow) adds more.
    ///
    /// They are smba.trafficmanager.net (Teams) and all hosts below botframework.com, botframework.us,
    /// botframework.azure.us, botframework.azure.cn, teams.microsoft.com, teams.microsoft.us and
    /// teams.microsoftonline.cn.
    #[must_use]
    pub fn microsoft() -> Self {
        Self::with(Base::Microsoft)
    }

    fn with(base: Base) -> Self {
        Self {
            base,
            allowed: HashSet::new(),
            exempt: Vec::new(),
        }
    }

    /// Allows one more host, as `host` (any port) or `host:port`, upper or lower case; IPv6 addresses with or without
    /// brackets. Not a URL. White space around it is dropped; an empty entry allows nothing.
    ///
    /// A host that is named here may be called by `http` and `https`, may have a private address, and is sent tokens.
    #[must_use]
    pub fn allow(mut self, host: impl AsRef<str>) -> Self {
        let host = host.as_ref().trim();
        if !host.is_empty() {
            self.allowed.insert(allow_list_form(host));
        }
        self
    }

    /// As [`allow`](Self::allow), for many: the entries of `TIDINGS_ALLOWED_SERVICE_HOSTS`.
    #[must_use]
    pub fn allow_all<I>(self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        hosts.into_iter().fold(self, |policy, host| policy.allow(host))
    }

    /// Allows the connector at `base_url` and all that lies below its path, but sends it no token: the local channel
    /// beside a bot that has an app id.
    ///
    /// # Errors
    ///
    /// When `base_url` is not one that a connector can have.
    ///
    /// ```
    /// use tidings_connector::ServiceUrlPolicy;
    ///
    /// let policy = ServiceUrlPolicy::microsoft().exempt("http://127.0.0.1:3978/local")?;
    /// assert!(policy.check("http://127.0.0.1:3978/local/").is_ok());
    /// assert!(policy.check("http://127.0.0.1:3978/").is_err());
    /// assert!(!policy.takes_tokens("http://127.0.0.1:3978/local/"));
    /// assert!(policy.takes_tokens("https://webchat.botframework.com/"));
    /// # Ok::<(), tidings_connector::ServiceUrlError>(())
    /// ```
    pub fn exempt(mut self, base_url: &str) -> Result<Self, ServiceUrlError> {
        let url = parse(base_url)?;
        no_query(&url)?;
        self.exempt.push(Exempt::new(&url)?);
        Ok(self)
    }

    /// Whether the connector at `service_url` may be called.
    ///
    /// # Errors
    ///
    /// Names `serviceUrl` and, where that would help, how to allow its host.
    pub fn check(&self, service_url: &str) -> Result<(), ServiceUrlError> {
        self.admit(service_url).map(drop)
    }

    /// Whether calls to the connector at `service_url` may carry a token: it may be called and is not
    /// [exempt](Self::exempt).
    #[must_use]
    pub fn takes_tokens(&self, service_url: &str) -> bool {
        self.admit(service_url)
            .is_ok_and(|service| service.takes_tokens())
    }

    /// [`check`](Self::check), and the address in the form in which it was checked: what is called must not be parsed
    /// a second time, by other rules.
    pub(crate) fn admit(&self, service_url: &str) -> Result<ServiceUrl, ServiceUrlError> {
        let url = parse(service_url)?;
        let scheme = self.judge(&url)?;
        no_query(&url)?;
        ServiceUrl::new(scheme, &url, !self.is_exempt(&url))
    }

    /// Whether a request may go to `url`, whatever its path and query are.
    pub(crate) fn judge(&self, url: &Url) -> Result<Scheme, ServiceUrlError> {
        let (scheme, host, port) = origin(url)?;
        if !self.is_exempt(url) {
            self.reach(&scheme, &host.to_string(), port)?;
        }
        Ok(scheme)
    }

    /// Where a connection to a host may lead. `host` is in the form in which [`Host`] writes it.
    fn reach(&self, scheme: &Scheme, host: &str, port: u16) -> Result<Reach, ServiceUrlError> {
        if self.names(host, port) {
            return Ok(Reach::Anywhere);
        }
        let not_allowed = |host: &str, rule| {
            Err(ServiceUrlError::HostNotAllowed {
                host: cut(host),
                rule,
            })
        };
        match self.base {
            Base::Local if is_this_machine(host) => Ok(Reach::Loopback),
            Base::Local => not_allowed(
                host,
                "in local mode only this machine is (127.0.0.1, ::1, localhost)",
            ),
            Base::Microsoft if !microsoft_hosts::includes(host) => not_allowed(host, microsoft_hosts::RULE),
            Base::Microsoft if *scheme != Scheme::HTTPS => {
                Err(ServiceUrlError::NotEncrypted { host: cut(host) })
            }
            Base::Microsoft if port != 443 => not_allowed(&format!("{host}:{port}"), microsoft_hosts::RULE),
            Base::Microsoft => Ok(Reach::Public),
        }
    }

    fn names(&self, host: &str, port: u16) -> bool {
        !self.allowed.is_empty()
            && (self.allowed.contains(host) || self.allowed.contains(&format!("{host}:{port}")))
    }

    fn is_exempt(&self, url: &Url) -> bool {
        !self.exempt.is_empty() && self.exempt.iter().any(|exempt| exempt.covers(url))
    }

    /// Of the addresses that the host of `address` has those to which a connection may go.
    ///
    /// # Errors
    ///
    /// When there were some, but none is left.
    pub(crate) fn reachable(
        &self,
        address: &Uri,
        mut found: Vec<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, ServiceUrlError> {
        let host = address.host().ok_or(ServiceUrlError::NoHost)?;
        let scheme = address.scheme().ok_or(ServiceUrlError::NoHost)?;
        let port = address
            .port_u16()
            .unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 });
        let is_exempt = self.exempt.iter().any(|exempt| exempt.is_at(scheme, host, port));
        let reach = if is_exempt {
            Reach::Anywhere
        } else {
            self.reach(scheme, host, port)?
        };
        let first = found.first().map(SocketAddr::ip);
        found.retain(|found| reach.admits(found.ip()));
        match first {
            Some(address) if found.is_empty() => Err(ServiceUrlError::Address {
                host: cut(host),
                address,
                rule: reach.rule(),
            }),
            _ => Ok(found),
        }
    }
}

fn parse(service_url: &str) -> Result<Url, ServiceUrlError> {
    Url::parse(service_url).map_err(|error| match error {
        url::ParseError::EmptyHost => ServiceUrlError::NoHost,
        error => ServiceUrlError::NotAUrl {
            reason: error.to_string(),
        },
    })
}

fn origin(url: &Url) -> Result<(Scheme, Host<&str>, u16), ServiceUrlError> {
    let (scheme, port) = match url.scheme() {
        "http" => (Scheme::HTTP, 80),
        "https" => (Scheme::HTTPS, 443),
        other => return Err(ServiceUrlError::Scheme { scheme: cut(other) }),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ServiceUrlError::UserInfo);
    }
    let host = url.host().ok_or(ServiceUrlError::NoHost)?;
    Ok((scheme, host, url.port().unwrap_or(port)))
}

fn no_query(url: &Url) -> Result<(), ServiceUrlError> {
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ServiceUrlError::Query);
    }
    Ok(())
}

/// `Host` writes an IPv6 address in brackets and everything in lower case; the list is kept in that form.
fn allow_list_form(host: &str) -> String {
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return format!("[{address}]");
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, Some(port)),
        _ => (host, None),
    };
    // The same canonical form as in a URL: case, IDNA, the spellings of an IPv4 address.
    let name = Host::parse(name).map_or_else(|_| name.to_lowercase(), |host| host.to_string());
    port.map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
}

/// Whether a host, as [`Host`] writes it, is this machine.
pub(crate) fn is_this_machine(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    let v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .and_then(|host| host.parse::<Ipv6Addr>().ok());
    v6.is_some_and(|address| address.is_loopback())
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_is_this_machine_only() {
        let policy = ServiceUrlPolicy::local();
        for url in [
            "http://127.0.0.1:3978",
            "http://127.0.0.1",
            "http://127.255.255.254:1/",
            "https://[::1]:443/base/",
            "http://localhost",
            "HTTP://LOCALHOST:5000/Path",
            // Other spellings of 127.0.0.1, which the parser writes out.
            "http://127.1/",
            "http://0x7f000001/",
        ] {
            assert_eq!(policy.check(url), Ok(()), "{url}");
        }
        for url in [
            "http://example.com",
            "http://10.0.0.1",
            "http://0.0.0.0:80",
            "http://128.0.0.1",
            "http://126.255.255.255",
            "http://169.254.169.254/latest",
            "http://[::]/",
            "http://[fe80::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://notlocalhost",
            "http://localhost.",
            "http://example.com\\@127.0.0.1/",
        ] {
            assert!(
                matches!(policy.check(url), Err(ServiceUrlError::HostNotAllowed { .. })),
                "{url}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_plain_http_address() {
        let policy = ServiceUrlPolicy::local();
        let refused = |url: &str| policy.check(url).expect_err(url);
        assert!(matches!(refused(""), ServiceUrlError::NotAUrl { .. }));
        assert!(matches!(refused("127.0.0.1:80"), ServiceUrlError::NotAUrl { .. }));
        assert!(matches!(refused("/v3"), ServiceUrlError::NotAUrl { .. }));
        assert!(matches!(
            refused("http://127.0.0.1:99999"),
            ServiceUrlError::NotAUrl { .. }
        ));
        assert!(matches!(
            refused("http://loc\0alhost"),
            ServiceUrlError::NotAUrl { .. }
        ));
        assert_eq!(refused("http://"), ServiceUrlError::NoHost);
        assert_eq!(refused("http://:80"), ServiceUrlError::NoHost);
        for url in [
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "ws://127.0.0.1",
            "urn:botframework:test:1",
            "localhost:80",
        ] {
            assert!(matches!(refused(url), ServiceUrlError::Scheme { .. }), "{url}");
        }
        for url in [
            "http://user@127.0.0.1",
            "http://user:pw@127.0.0.1",
            "http://:pw@127.0.0.1",
            "http://127.0.0.1@localhost",
        ] {
            assert_eq!(refused(url), ServiceUrlError::UserInfo, "{url}");
        }
        assert_eq!(refused("http://127.0.0.1/?x=1"), ServiceUrlError::Query);
        assert_eq!(refused("http://127.0.0.1/#x"), ServiceUrlError::Query);
        for url in [
            "",
            "ftp://x",
            "http://",
            "http://u@127.0.0.1",
            "http://example.com",
            "http://127.0.0.1?",
        ] {
            assert!(refused(url).to_string().starts_with("serviceUrl "), "{url}");
        }
        assert!(
            refused("http://example.com")
                .to_string()
                .contains("TIDINGS_ALLOWED_SERVICE_HOSTS")
        );
    }

    #[test]
    fn the_list_allows_hosts_and_ports() {
        let policy = ServiceUrlPolicy::local().allow_all([
            "Bot.Example.COM",
            "10.0.0.7:8080",
            " fd00::1 ",
            "[fd00::2]:81",
            "b\u{fc}cher.example",
            "",
        ]);
        for url in [
            "http://bot.example.com",
            "https://BOT.EXAMPLE.COM:8443/x",
            "http://10.0.0.7:8080/",
            "http://[fd00::1]:9/",
            "http://[FD00::2]:81/",
            "http://xn--bcher-kva.example/",
        ] {
            assert_eq!(policy.check(url), Ok(()), "{url}");
        }
        for url in [
            "http://sub.bot.example.com",
            "http://10.0.0.7",
            "http://10.0.0.7:8081",
            "http://[fd00::2]",
            "http://example.com",
        ] {
            assert!(policy.check(url).is_err(), "{url}");
        }
        assert_eq!(
            ServiceUrlPolicy::local().allow("h:443").check("https://h/"),
            Ok(())
        );
        assert!(
            ServiceUrlPolicy::local()
                .allow("h:443")
                .check("http://h/")
                .is_err()
        );
    }

    #[test]
    fn with_an_app_id_only_microsoft_is_called() {
        let policy = ServiceUrlPolicy::microsoft();
        for url in [
            "https://smba.trafficmanager.net/amer/",
            "https://SMBA.trafficmanager.net:443/teams/",
            "https://webchat.botframework.com/",
            "https://directline.botframework.azure.us",
            "https://smba.infra.gcc.teams.microsoft.com/teams",
        ] {
            assert_eq!(policy.check(url), Ok(()), "{url}");
            assert!(policy.takes_tokens(url), "{url}");
        }
        for url in [
            "https://example.com",
            "https://evil.trafficmanager.net/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://smba.trafficmanager.net:8443/",
            "http://127.0.0.1:3978",
            "https://localhost",
            "https://10.0.0.1",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/metadata",
            "https://52.112.0.1/",
        ] {
            let error = policy.check(url).expect_err(url);
            assert!(matches!(error, ServiceUrlError::HostNotAllowed { .. }), "{url}");
            let text = error.to_string();
            assert!(text.starts_with("serviceUrl ") && text.contains("TIDINGS_ALLOWED_SERVICE_HOSTS"));
            assert!(!text.contains("local mode"), "{text}");
            assert!(!policy.takes_tokens(url), "{url}");
        }
        let error = policy.check("http://smba.trafficmanager.net/").expect_err("http");
        assert!(matches!(error, ServiceUrlError::NotEncrypted { .. }));
        assert!(error.to_string().contains("TIDINGS_ALLOWED_SERVICE_HOSTS"));
        assert_eq!(
            policy.check("https://u@smba.trafficmanager.net/"),
            Err(ServiceUrlError::UserInfo)
        );
    }

    #[test]
    fn named_hosts_are_added_to_microsofts() {
        let policy = ServiceUrlPolicy::microsoft().allow_all([
            "127.0.0.1:8080",
            "smba.trafficmanager.net:80",
            "h.example",
        ]);
        for url in [
            "http://127.0.0.1:8080/",
            "http://smba.trafficmanager.net/",
            "https://smba.trafficmanager.net/",
            "http://h.example:9/",
        ] {
            assert_eq!(policy.check(url), Ok(()), "{url}");
        }
        assert!(policy.check("http://127.0.0.1:8081/").is_err());
        assert!(policy.check("http://x.h.example/").is_err());
    }

    #[test]
    fn addresses_are_judged_by_why_the_host_is_allowed() {
        let found = |addresses: &[&str]| -> Vec<SocketAddr> {
            addresses
                .iter()
                .map(|address| SocketAddr::new(address.parse().expect(address), 0))
                .collect()
        };
        let reachable = |policy: &ServiceUrlPolicy, url: &str, addresses: &[&str]| {
            policy.reachable(&url.parse().expect(url), found(addresses))
        };
        let policy = ServiceUrlPolicy::microsoft()
            .allow("named.example")
            .exempt("http://local.example:81/x")
            .expect("an address");
        let teams = "https://smba.trafficmanager.net/x";
        let public = ["52.112.0.1", "2603:1063::1"];
        assert_eq!(reachable(&policy, teams, &public), Ok(found(&public)));
        assert_eq!(
            reachable(&policy, teams, &["10.0.0.1", "52.112.0.1", "::1"]),
            Ok(found(&["52.112.0.1"]))
        );
        assert_eq!(reachable(&policy, teams, &[]), Ok(Vec::new()));
        let error = reachable(&policy, teams, &["10.0.0.1", "::1"]).expect_err("private");
        assert!(matches!(&error, ServiceUrlError::Address { host, address, .. }
            if host == "smba.trafficmanager.net" && address.to_string() == "10.0.0.1"));
        let text = error.to_string();
        assert!(
            text.starts_with("serviceUrl ") && text.contains("TIDINGS_ALLOWED_SERVICE_HOSTS"),
            "{text}"
        );
        for url in [
            "https://named.example/",
            "http://named.example:8080/",
            "http://local.example:81/x",
        ] {
            assert_eq!(
                reachable(&policy, url, &["10.0.0.1"]),
                Ok(found(&["10.0.0.1"])),
                "{url}"
            );
        }
        for url in [
            "https://example.com/",
            "http://local.example:82/",
            "http://smba.trafficmanager.net/",
        ] {
            assert!(reachable(&policy, url, &["52.112.0.1"]).is_err(), "{url}");
        }
        let policy = ServiceUrlPolicy::local();
        assert!(reachable(&policy, "http://localhost:1/", &["127.0.0.1"]).is_ok());
        assert!(reachable(&policy, "http://[::1]:1/", &["::1"]).is_ok());
        for address in ["10.0.0.1", "52.112.0.1"] {
            assert!(reachable(&policy, "http://localhost:1/", &[address]).is_err());
        }
    }
}
