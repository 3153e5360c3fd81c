//! Opens connections.

use std::future::{Ready, ready};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use http::Uri;
use http::uri::Scheme;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower_service::Service;

use super::BoxError;
use super::pool::Connection;
use crate::{Resolver, ServiceUrlPolicy};

/// Opens connections: name, TCP and, for `https`, TLS, all within one limit.
#[derive(Debug)]
pub(super) struct Dialer {
    resolver: Arc<dyn Resolver>,
    policy: Option<Arc<ServiceUrlPolicy>>,
    tls: OnceLock<Arc<ClientConfig>>,
    timeout: Duration,
}

impl Dialer {
    /// With a policy, only to addresses that it allows for the name by which they are called.
    pub(super) fn new(
        timeout: Duration,
        resolver: Arc<dyn Resolver>,
        policy: Option<Arc<ServiceUrlPolicy>>,
    ) -> Self {
        Self {
            resolver,
            policy,
            tls: OnceLock::new(),
            timeout,
        }
    }

    /// A connection to the host of `address`, ready for a request.
    pub(super) async fn dial(&self, address: &Uri) -> Result<Connection, BoxError> {
        let open = async {
            let stream = self.open(address.clone()).await?;
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to a connector ended");
                }
            });
            Ok(sender)
        };
        tokio::time::timeout(self.timeout, open)
            .await
            .unwrap_or_else(|_| {
                let message = format!("nobody took the call within {} s", self.timeout.as_secs_f64());
                Err(io::Error::new(io::ErrorKind::TimedOut, message).into())
            })
    }

    async fn open(&self, address: Uri) -> Result<MaybeHttpsStream<TokioIo<TcpStream>>, BoxError> {
        let mut tcp = HttpConnector::new_with_resolver(Looked {
            up: self.look_up(&address).await?,
        });
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        // Shared among the addresses of a name, so that one that swallows everything leaves time for the next.
        tcp.set_connect_timeout(Some(self.timeout));
        if address.scheme() == Some(&Scheme::HTTPS) {
            let config = self.trust().await?;
            HttpsConnector::from((tcp, config)).call(address).await
        } else {
            Ok(MaybeHttpsStream::Http(tcp.call(address).await?))
        }
    }

    /// The addresses of the host, those that may not be called left out.
    async fn look_up(&self, address: &Uri) -> Result<Vec<SocketAddr>, BoxError> {
        let host = address.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let found = match name.parse::<IpAddr>() {
            Ok(literal) => vec![SocketAddr::new(literal, 0)],
            Err(_) => self.resolver.resolve(name).await?,
        };
        let found = match &self.policy {
            Some(policy) => policy.reachable(address, found)?,
            None => found,
        };
        if found.is_empty() {
            let message = format!("the name {name} has no address");
            return Err(io::Error::new(io::ErrorKind::NotFound, message).into());
        }
        Ok(found)
    }

    /// The machine's own trusted certificates, read when the first `https` connector is called: local mode needs
    /// none, and must start where there are none.
    async fn trust(&self) -> Result<Arc<ClientConfig>, BoxError> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = tokio::task::spawn_blocking(|| {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()?
                .with_platform_verifier()?
                .with_no_client_auth();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok::<_, rustls::Error>(Arc::new(config))
        })
        .await??;
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

/// A resolver that answers what was looked up and judged before: a second look-up could have another answer.
#[derive(Debug, Clone)]
struct Looked {
    up: Vec<SocketAddr>,
}

impl Service<Name> for Looked {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<vec::IntoIter<SocketAddr>>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _name: Name) -> Self::Future {
        // The port of the serviceUrl counts; one that the resolver invents must not.
        let addresses = self
            .up
            .iter()
            .map(|address| {
                let mut address = *address;
                address.set_port(0);
                address
            })
            .collect::<Vec<_>>();
        ready(Ok(addresses.into_iter()))
    }
}
