//! Which connectors may be called: the guard in front of every outgoing request.

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};

use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use url::{Host, Url};

use crate::SendError;

/// Decides by its `serviceUrl` whether a connector may be called.
///
/// Whoever sends us an activity chooses its `serviceUrl`, so without this guard a stranger could make the server call
/// any host in its network.
///
/// ```
/// use tidings_connector::ServiceUrlPolicy;
///
/// let policy = ServiceUrlPolicy::local().allow("emulator.lan").allow("10.0.0.7:8080");
/// assert!(policy.check("http://localhost:3978/").is_ok());
/// assert!(policy.check("https://emulator.lan:9000/base").is_ok());
/// assert!(policy.check("http://10.0.0.7:9090").is_err());
/// assert!(policy.check("https://example.com").unwrap_err().to_string().contains("serviceUrl"));
/// ```
#[derive(Debug, Clone)]
pub struct ServiceUrlPolicy {
    allowed: HashSet<String>,
}

impl ServiceUrlPolicy {
    /// Local mode: `http` and `https` to this machine only (127.0.0.0/8, `::1`, `localhost`), until
    /// [`allow`](Self::allow) adds more.
    #[must_use]
    pub fn local() -> Self {
        Self {
            allowed: HashSet::new(),
        }
    }

    /// Allows one more host, as `host` (any port) or `host:port`, upper or lower case; IPv6 addresses with or without
    /// brackets. Not a URL. White space around it is dropped; an empty entry allows nothing.
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

    /// Whether the connector at `service_url` may be called.
    ///
    /// # Errors
    ///
    /// Names `serviceUrl` and, where that would help, how to allow its host.
    pub fn check(&self, service_url: &str) -> Result<(), ServiceUrlError> {
        self.admit(service_url).map(drop)
    }

    /// [`check`](Self::check), and the address in the form in which it was checked: what is called must not be parsed
    /// a second time, by other rules.
    pub(crate) fn admit(&self, service_url: &str) -> Result<ServiceUrl, ServiceUrlError> {
        let url = Url::parse(service_url).map_err(|error| match error {
            url::ParseError::EmptyHost => ServiceUrlError::NoHost,
            error => ServiceUrlError::NotAUrl {
                reason: error.to_string(),
            },
        })?;
        let scheme = self.judge(&url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ServiceUrlError::Query);
        }
        ServiceUrl::new(scheme, &url)
    }

    /// Whether a request may go to `url`, whatever its path and query are.
    pub(crate) fn judge(&self, url: &Url) -> Result<Scheme, ServiceUrlError> {
        let scheme = match url.scheme() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            other => return Err(ServiceUrlError::Scheme { scheme: cut(other) }),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ServiceUrlError::UserInfo);
        }
        let host = url.host().ok_or(ServiceUrlError::NoHost)?;
        if !is_loopback(&host) && !self.allows(&host, url.port_or_known_default()) {
            return Err(ServiceUrlError::HostNotAllowed {
                host: cut(&host.to_string()),
            });
        }
        Ok(scheme)
    }

    fn allows(&self, host: &Host<&str>, port: Option<u16>) -> bool {
        if self.allowed.is_empty() {
            return false;
        }
        let host = host.to_string();
        self.allowed.contains(&host)
            || port.is_some_and(|port| self.allowed.contains(&format!("{host}:{port}")))
    }
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

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => Ipv4Addr::is_loopback(address),
        Host::Ipv6(address) => Ipv6Addr::is_loopback(address),
        Host::Domain(name) => *name == "localhost",
    }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Why a connector may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceUrlError {
    /// It is not an absolute URL.
    #[error("serviceUrl is not a URL: {reason}")]
    NotAUrl {
        /// What the parser said.
        reason: String,
    },
    /// Neither `http` nor `https`.
    #[error("serviceUrl has the scheme `{scheme}`, only http and https are possible")]
    Scheme {
        /// The scheme it has.
        scheme: String,
    },
    /// There is no host in it.
    #[error("serviceUrl has no host")]
    NoHost,
    /// There is a user name or a password in it, which is used to disguise the host.
    #[error("serviceUrl holds a user name or password, which is not allowed")]
    UserInfo,
    /// There is a query or a fragment in it; endpoints cannot be put behind those.
    #[error("serviceUrl holds a query or a fragment, which is not allowed")]
    Query,
    /// Its host is not allowed.
    #[error(
        "serviceUrl points to the host `{host}`, which is not allowed: in local mode only this machine is \
         (127.0.0.1, ::1, localhost). If it is right, add the host to TIDINGS_ALLOWED_SERVICE_HOSTS"
    )]
    HostNotAllowed {
        /// The host, in lower case.
        host: String,
    },
}

impl From<ServiceUrlError> for SendError {
    fn from(error: ServiceUrlError) -> Self {
        SendError::refused(error.to_string()).with_source(error)
    }
}

/// A serviceUrl that passed the guard, in parts that are cheap to put together.
#[derive(Debug)]
pub(crate) struct ServiceUrl {
    scheme: Scheme,
    authority: Authority,
    prefix: Box<str>,
}

impl ServiceUrl {
    fn new(scheme: Scheme, url: &Url) -> Result<Self, ServiceUrlError> {
        let authority =
            url.authority()
                .parse()
                .map_err(|error: http::uri::InvalidUri| ServiceUrlError::NotAUrl {
                    reason: error.to_string(),
                })?;
        Ok(Self {
            scheme,
            authority,
            prefix: url.path().trim_end_matches('/').into(),
        })
    }

    /// Its path, without the trailing slash.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn address(&self, path: PathAndQuery) -> Result<Uri, SendError> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts)
            .map_err(|error| SendError::refused(format!("serviceUrl cannot be called: {error}")))
    }
}

/// At most so many parsed addresses are kept. A bot talks to a handful of connectors; more only come from somebody
/// who makes them up, and then parsing again is cheap enough.
const KEPT: usize = 256;

/// The guard with what it has already let through.
#[derive(Debug)]
pub(crate) struct Guard {
    policy: ServiceUrlPolicy,
    admitted: RwLock<HashMap<Box<str>, Arc<ServiceUrl>>>,
}

impl Guard {
    pub(crate) fn new(policy: ServiceUrlPolicy) -> Self {
        Self {
            policy,
            admitted: RwLock::default(),
        }
    }

    pub(crate) fn policy(&self) -> &ServiceUrlPolicy {
        &self.policy
    }

    pub(crate) fn admit(&self, service_url: &str) -> Result<Arc<ServiceUrl>, ServiceUrlError> {
        let admitted = self.admitted.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = admitted.get(service_url) {
            return Ok(Arc::clone(service));
        }
        drop(admitted);
        let service = Arc::new(self.policy.admit(service_url)?);
        let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= KEPT {
            admitted.clear();
        }
        admitted.insert(service_url.into(), Arc::clone(&service));
        Ok(service)
    }
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
    fn keeps_the_prefix_without_its_last_slash() {
        let prefix = |url| {
            ServiceUrlPolicy::local()
                .admit(url)
                .expect(url)
                .prefix()
                .to_owned()
        };
        assert_eq!(prefix("http://127.0.0.1"), "");
        assert_eq!(prefix("http://127.0.0.1/"), "");
        assert_eq!(prefix("http://127.0.0.1/teams/"), "/teams");
        assert_eq!(prefix("http://127.0.0.1/a/b"), "/a/b");
        assert_eq!(prefix("http://127.0.0.1/a//"), "/a");
        assert_eq!(prefix("http://127.0.0.1/a%2Fb/gr\u{fc}n/"), "/a%2Fb/gr%C3%BCn");
    }

    #[test]
    fn what_is_kept_is_bounded_and_only_what_was_admitted() {
        let guard = Guard::new(ServiceUrlPolicy::local());
        for path in 0..=KEPT {
            guard.admit(&format!("http://127.0.0.1/{path}")).expect("local");
            assert!(guard.admit(&format!("http://example.com/{path}")).is_err());
        }
        assert_eq!(guard.admitted.read().expect("not poisoned").len(), 1);
        let first = guard.admit("http://127.0.0.1/x").expect("local");
        let again = guard.admit("http://127.0.0.1/x").expect("local");
        assert!(Arc::ptr_eq(&first, &again));
    }
}
