//! How a connector client is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use super::{ConnectorClient, Inner, Propagate};
use crate::service_url::guard::Guard;
use crate::transport::Transport;
use crate::{Credentials, Resolver, ServiceUrlPolicy, SystemResolver};

const TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTACHMENT_LIMIT: usize = 32 * 1024 * 1024;
const PRODUCT: &str = concat!("tidings/", env!("CARGO_PKG_VERSION"));

/// Sets up a [`ConnectorClient`]. Made by [`ConnectorClient::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct ConnectorClientBuilder {
    credentials: Option<Arc<dyn Credentials>>,
    service_urls: ServiceUrlPolicy,
    resolver: Arc<dyn Resolver>,
    product: String,
    timeout: Duration,
    connect_timeout: Duration,
    attachment_limit: usize,
    propagate: Option<Propagate>,
}

impl ConnectorClient {
    /// A client for local mode, until told otherwise: no credentials, connectors on this machine only, 15 seconds for
    /// a call, 5 of them to connect.
    pub fn builder() -> ConnectorClientBuilder {
        ConnectorClientBuilder {
            credentials: None,
            service_urls: ServiceUrlPolicy::local(),
            resolver: Arc::new(SystemResolver),
            product: PRODUCT.to_owned(),
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            attachment_limit: ATTACHMENT_LIMIT,
            propagate: None,
        }
    }
}

impl ConnectorClientBuilder {
    /// Who makes the `Authorization` header. Without it none is sent, and never one to a connector that the policy
    /// [exempts](ServiceUrlPolicy::exempt).
    pub fn credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Which connectors may be called; [`ServiceUrlPolicy::local`] if not set.
    pub fn service_urls(mut self, policy: ServiceUrlPolicy) -> Self {
        self.service_urls = policy;
        self
    }

    /// Who looks up the hosts of connectors; [`SystemResolver`] if not set. What it answers is checked against the
    /// [`service_urls`](Self::service_urls).
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// The product token in the `User-Agent`, as `name/version`; `tidings/<version>` if not set.
    pub fn product(mut self, product: impl Into<String>) -> Self {
        self.product = product.into();
        self
    }

    /// The time for a whole call, from asking for a token to the last byte of the answer.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The part of it for making a connection: name, TCP and TLS.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest attachment that [`ConnectorClient::get_attachment_view`] reads, in bytes; 32 MiB if not set.
    pub fn attachment_limit(mut self, bytes: usize) -> Self {
        self.attachment_limit = bytes;
        self
    }

    /// Who adds to each request what its trace is known by (`traceparent`, W3C Trace Context): called inside the
    /// [span](crate::spans::CALL) of the call, if anybody collects it.
    pub fn propagate(mut self, propagate: impl Fn(&mut HeaderMap) + Send + Sync + 'static) -> Self {
        self.propagate = Some(Box::new(propagate));
        self
    }

    /// The client. Connections are made when they are needed.
    ///
    /// # Errors
    ///
    /// When a setting makes no sense; the error names it.
    pub fn build(self) -> Result<ConnectorClient, BuildError> {
        let is_product = !self.product.is_empty() && self.product.bytes().all(|byte| byte.is_ascii_graphic());
        let user_agent = is_product
            .then(|| {
                format!(
                    "Microsoft-BotFramework/3.1 {} (Rust; {})",
                    self.product,
                    std::env::consts::OS
                )
            })
            .and_then(|text| HeaderValue::try_from(text).ok())
            .ok_or(BuildError::Product {
                product: self.product,
            })?;
        for (setting, value) in [
            ("timeout", self.timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if value.is_zero() || value > LONGEST_TIMEOUT {
                return Err(BuildError::Timeout { setting, value });
            }
        }
        let policy = Arc::new(self.service_urls);
        Ok(ConnectorClient {
            audience: None,
            delivery: None,
            inner: Arc::new(Inner {
                transport: Transport::guarded(self.connect_timeout, self.resolver, Arc::clone(&policy)),
                guard: Guard::new(policy),
                credentials: self.credentials,
                user_agent,
                timeout: self.timeout,
                attachment_limit: self.attachment_limit,
                propagate: self.propagate,
            }),
        })
    }
}

/// A wait that is not told from forever, and the end of which the clock can still express.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Debug for ConnectorClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorClientBuilder")
            .field("service_urls", &self.service_urls)
            .field("product", &self.product)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("attachment_limit", &self.attachment_limit)
            .finish_non_exhaustive()
    }
}

/// A setting of [`ConnectorClientBuilder`] that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Not a product token.
    #[error("product is `{product}`, which cannot stand in a User-Agent: write name/version without spaces")]
    Product {
        /// What was set.
        product: String,
    },
    /// No time at all, or more than a day.
    #[error("{setting} is {value:?}, it must be more than nothing and at most a day")]
    Timeout {
        /// Which of the two it was.
        setting: &'static str,
        /// What was set.
        value: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_has_the_shape_of_the_protocol() {
        let client = ConnectorClient::builder()
            .product("weather-bot/1.2.0")
            .build()
            .expect("a client");
        let expected = format!(
            "Microsoft-BotFramework/3.1 weather-bot/1.2.0 (Rust; {})",
            std::env::consts::OS
        );
        assert_eq!(client.inner.user_agent, expected);
        let client = ConnectorClient::builder().build().expect("a client");
        let text = client.inner.user_agent.to_str().expect("ascii");
        assert!(text.starts_with("Microsoft-BotFramework/3.1 tidings/"), "{text}");
    }

    #[test]
    fn settings_without_sense_are_named() {
        for product in ["", "a b", "a\nb", "gr\u{fc}n/1"] {
            let error = ConnectorClient::builder()
                .product(product)
                .build()
                .expect_err(product);
            assert!(matches!(error, BuildError::Product { .. }));
        }
        let timeout = |value| ConnectorClient::builder().timeout(value).build();
        assert!(timeout(Duration::ZERO).is_err());
        assert!(timeout(Duration::from_millis(1)).is_ok());
        assert!(timeout(LONGEST_TIMEOUT).is_ok());
        assert!(timeout(Duration::MAX).is_err());
        let error = ConnectorClient::builder()
            .connect_timeout(Duration::ZERO)
            .build()
            .expect_err("no time");
        assert!(error.to_string().starts_with("connect_timeout "), "{error}");
    }
}
