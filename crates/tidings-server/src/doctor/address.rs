//! The address to listen on: free, or this server's already.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Finding;
use crate::config::Config;
use crate::server::bind;

/// How long who listens there may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_ANSWER_BYTES: u64 = 4096;

/// Also whether a Tidings server listens there.
pub(super) async fn check(config: &Config) -> (Finding, bool) {
    let address = config.listen;
    if config.app_id.is_none() && !address.ip().is_loopback() {
        let finding = Finding::failed(
            "address",
            format!("{address} can be reached from other machines, which local mode refuses"),
            format!("listen on 127.0.0.1:{}, or set MicrosoftAppId", address.port()),
        );
        return (finding, false);
    }
    let error = match bind(address) {
        Ok(_) if address.port() == 0 => {
            return (
                Finding::ok("address", format!("any free port of {}", address.ip())),
                false,
            );
        }
        Ok(_) => return (Finding::ok("address", format!("{address} is free")), false),
        Err(error) => error,
    };
    if error.kind() != ErrorKind::AddrInUse {
        let finding = Finding::failed(
            "address",
            format!("{address} cannot be listened on: {error}"),
            "choose another address with TIDINGS_LISTEN or --listen",
        );
        return (finding, false);
    }
    if is_tidings(address).await {
        return (
            Finding::ok("address", format!("a Tidings server listens on {address}")),
            true,
        );
    }
    let finding = Finding::failed(
        "address",
        format!("another program listens on {address}"),
        "stop it, or choose another address with TIDINGS_LISTEN or --listen",
    );
    (finding, false)
}

/// Whether what listens there answers as `/healthz` of this server does.
async fn is_tidings(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(Ok(answer)) => answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"status":"ok"}"#),
        _ => false,
    }
}
