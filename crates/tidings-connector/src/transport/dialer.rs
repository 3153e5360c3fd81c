//! Opens connections.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower_service::Service;

use super::BoxError;
use super::pool::Connection;

/// Opens connections: name, TCP and, for `https`, TLS, all within one limit.
#[derive(Debug)]
pub(super) struct Dialer {
    tcp: HttpConnector,
    tls: OnceLock<Arc<ClientConfig>>,
    timeout: Duration,
}

impl Dialer {
    pub(super) fn new(timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        // Shared among the addresses of a name, so that one that swallows everything leaves time for the next.
        tcp.set_connect_timeout(Some(timeout));
        Self {
            tcp,
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
        let mut tcp = self.tcp.clone();
        if address.scheme() == Some(&Scheme::HTTPS) {
            let config = self.trust().await?;
            HttpsConnector::from((tcp, config)).call(address).await
        } else {
            Ok(MaybeHttpsStream::Http(tcp.call(address).await?))
        }
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
