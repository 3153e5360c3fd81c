//! Connectors that are called without a token.

use std::fmt;

use http::uri::Scheme;
use url::Url;

use super::error::ServiceUrlError;
use super::origin;

/// A connector that is sent no token. Its path may be what protects it, so `Debug` does not show that.
#[derive(Clone)]
pub(super) struct Exempt {
    scheme: Scheme,
    host: String,
    port: u16,
    /// Without its last slash.
    prefix: String,
}

impl fmt::Debug for Exempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl Exempt {
    pub(super) fn new(base: &Url) -> Result<Self, ServiceUrlError> {
        let (scheme, host, port) = origin(base)?;
        Ok(Self {
            scheme,
            host: host.to_string(),
            port,
            prefix: base.path().trim_end_matches('/').to_owned(),
        })
    }

    pub(super) fn is_at(&self, scheme: &Scheme, host: &str, port: u16) -> bool {
        self.scheme == *scheme && self.host == host && self.port == port
    }

    pub(super) fn covers(&self, url: &Url) -> bool {
        let Ok((scheme, host, port)) = origin(url) else {
            return false;
        };
        let below = url.path().strip_prefix(self.prefix.as_str());
        self.is_at(&scheme, &host.to_string(), port)
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use crate::ServiceUrlPolicy;

    #[test]
    fn an_exempt_connector_is_allowed_at_its_path_only() {
        let policy = |base: &str| ServiceUrlPolicy::microsoft().exempt(base).expect(base);
        for (base, url, exempt) in [
            ("http://127.0.0.1:3978", "http://127.0.0.1:3978/", true),
            ("http://127.0.0.1:3978", "http://127.0.0.1:3978/any/thing", true),
            ("http://127.0.0.1:3978/", "http://127.0.0.1:3979/", false),
            ("http://127.0.0.1:3978/", "https://127.0.0.1:3978/", false),
            ("http://127.0.0.1:3978/", "http://127.0.0.2:3978/", false),
            ("http://127.0.0.1/a/", "http://127.0.0.1/a", true),
            ("http://127.0.0.1/a", "http://127.0.0.1/a/b", true),
            ("http://127.0.0.1/a", "http://127.0.0.1/ab", false),
            ("http://127.0.0.1/a", "http://127.0.0.1/a/../b", false),
            ("http://127.0.0.1/a", "http://127.0.0.1/a/%2e%2e/b", false),
            ("http://127.0.0.1/a", "http://127.0.0.1/", false),
            ("https://h.example", "https://H.example:443/", true),
        ] {
            let policy = policy(base);
            assert_eq!(policy.check(url).is_ok(), exempt, "{base} {url}");
            assert!(!policy.takes_tokens(url), "{base} {url}");
        }
        // A host that is named as well takes tokens beside the exempt path.
        let policy = policy("http://127.0.0.1/a").allow("127.0.0.1");
        assert!(policy.takes_tokens("http://127.0.0.1/b"));
        assert!(!policy.takes_tokens("http://127.0.0.1/a"));
        assert!(!format!("{policy:?}").contains("/a"), "the path may be a key");
        for base in [
            "",
            "127.0.0.1",
            "ftp://127.0.0.1",
            "http://u@127.0.0.1",
            "http://127.0.0.1/?a",
        ] {
            assert!(ServiceUrlPolicy::local().exempt(base).is_err(), "{base}");
        }
    }
}
