//! The seam behind which names become addresses.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Looks up the addresses of a connector's host.
///
/// It is asked once for each new connection, and what it answers is checked by the
/// [`ServiceUrlPolicy`](crate::ServiceUrlPolicy) before anything is called: the connection goes to a checked address,
/// never to the answer of a second look-up.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`, a name in lower case, in the order in which they should be tried. Their port is not
    /// looked at; that of the serviceUrl counts.
    ///
    /// # Errors
    ///
    /// When the name cannot be looked up. Nothing is called then.
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>>;
}

/// The machine's own resolver (`getaddrinfo`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let name: Name = host
            .parse()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Ok(GaiResolver::new().call(name).await?.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_this_machine() {
        let addresses = SystemResolver.resolve("localhost").await.expect("this machine");
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
