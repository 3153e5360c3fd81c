//! Who may speak to a server that authenticates nobody: only callers that address it by a loopback name, and only
//! pages that were loaded from one.
//!
//! `Host` keeps out DNS rebinding (a foreign name that resolves to 127.0.0.1), `Origin` keeps out any page the
//! user happens to have open.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use crate::api_error::ApiError;

/// The check of Host and Origin against loopback names and the configured ones.
pub(crate) struct Guard {
    /// Names beside loopback ones, lower case, without port.
    allowed: Vec<String>,
}

impl Guard {
    pub(crate) fn new(allowed: Vec<String>) -> Self {
        Self { allowed }
    }

    /// Passes a request whose target, `Host` and `Origin` are all allowed.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        if let Some(authority) = uri.authority() {
            // An absolute request target stands above Host (RFC 9112, 3.2.2).
            self.check_host(authority.as_str())?;
        }
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => self.check_host(text(host))?,
            (None, _) if uri.authority().is_some() => {}
            _ => {
                let message = "the request must have one Host header";
                return Err(ApiError::new(StatusCode::BAD_REQUEST, "BadArgument", message).field("Host"));
            }
        }
        headers
            .get_all(header::ORIGIN)
            .iter()
            .try_for_each(|origin| self.check_origin(text(origin)))
    }

    fn check_host(&self, authority: &str) -> Result<(), ApiError> {
        if host_of(authority).is_some_and(|host| self.allows(host)) {
            return Ok(());
        }
        Err(forbidden(
            "Host",
            authority,
            "open the server by a loopback address",
        ))
    }

    fn check_origin(&self, origin: &str) -> Result<(), ApiError> {
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if authority.and_then(host_of).is_some_and(|host| self.allows(host)) {
            return Ok(());
        }
        Err(forbidden(
            "Origin",
            origin,
            "load the page from a loopback address",
        ))
    }

    fn allows(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case("localhost")
            || host
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
            || bracketed(host).is_some_and(|address| address.is_loopback())
            || self
                .allowed
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

fn forbidden(header: &'static str, value: &str, advice: &str) -> ApiError {
    let value: String = value.chars().take(100).collect();
    let message = format!(
        "{header} {value:?} is not allowed in local mode; {advice}, or list the name in TIDINGS_ALLOWED_HOSTS"
    );
    ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message).field(header)
}

/// The header's text; bytes that are not ASCII never equal an allowed name.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("")
}

/// The host of `host` or `host:port`, IPv6 addresses in their brackets; `None` for anything else.
fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.find(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let port_fits = match port.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    (port_fits && !host.is_empty()).then_some(host)
}

fn bracketed(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What a page opened by one loopback name may reach by the others, for its content security policy. An IPv6 address
/// cannot stand in a policy; there `'self'` has to do.
pub(crate) fn loopback_sources(scheme: &str, address: SocketAddr) -> String {
    let port = address.port();
    format!("{scheme}://localhost:{port} {scheme}://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], target: &str, headers: &[(&'static str, &str)]) -> Result<(), u16> {
        let guard = Guard::new(names.iter().map(|name| (*name).to_owned()).collect());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        guard
            .check(&target.parse().unwrap(), &map)
            .map_err(|error| error.status.as_u16())
    }

    #[test]
    fn loopback_hosts_pass_with_any_port() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:3978",
            "127.9.8.7",
            "[::1]",
            "[::1]:80",
            "[0:0:0:0:0:0:0:1]:8",
        ] {
            assert_eq!(check(&[], "/", &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn foreign_hosts_are_refused() {
        for host in [
            "",
            ":80",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "::1",
            "[::1]x",
            "localhost:80x",
            "localhost@example.com",
            "lôcalhost",
        ] {
            assert_eq!(check(&[], "/", &[("host", host)]), Err(403), "{host}");
        }
    }

    #[test]
    fn exactly_one_host_is_needed() {
        assert_eq!(check(&[], "/", &[]), Err(400));
        assert_eq!(
            check(&[], "/", &[("host", "localhost"), ("host", "localhost")]),
            Err(400)
        );
    }

    #[test]
    fn an_absolute_target_counts_too() {
        assert_eq!(check(&[], "http://localhost/", &[]), Ok(()));
        assert_eq!(
            check(&[], "http://example.com/", &[("host", "localhost")]),
            Err(403)
        );
        assert_eq!(
            check(&[], "http://localhost/", &[("host", "example.com")]),
            Err(403)
        );
    }

    #[test]
    fn origins_are_checked_where_present() {
        let with = |origin| check(&[], "/", &[("host", "localhost"), ("origin", origin)]);
        for origin in ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:3978"] {
            assert_eq!(with(origin), Ok(()), "{origin}");
        }
        for origin in [
            "null",
            "",
            "file://",
            "http://example.com",
            "http://localhost.example.com:80",
            "ws://localhost",
        ] {
            assert_eq!(with(origin), Err(403), "{origin}");
        }
        let two = [
            ("host", "localhost"),
            ("origin", "http://localhost"),
            ("origin", "http://example.com"),
        ];
        assert_eq!(check(&[], "/", &two), Err(403));
    }

    #[test]
    fn configured_names_pass() {
        let headers = [("host", "Bot.Example:3978"), ("origin", "https://bot.example")];
        assert_eq!(check(&["bot.example"], "/", &headers), Ok(()));
        assert_eq!(
            check(&["bot.example"], "/", &[("host", "other.example")]),
            Err(403)
        );
    }

    #[test]
    fn a_page_may_reach_each_loopback_name() {
        let sources = loopback_sources("ws", "127.0.0.1:3978".parse().unwrap());
        assert_eq!(sources, "ws://localhost:3978 ws://127.0.0.1:3978");
    }
}
