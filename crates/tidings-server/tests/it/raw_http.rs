//! HTTP as bytes, for what no well-behaved client sends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Host, PATIENCE};

pub(crate) struct RawConnection(TcpStream);

impl RawConnection {
    pub(crate) async fn open(host: &Host) -> Self {
        Self(TcpStream::connect(host.authority()).await.unwrap())
    }

    /// Writes as much as the server takes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _refused_half_way = self.0.write_all(bytes).await;
    }

    /// Everything the server says until it closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes));
        // A reset after the answer is an end too.
        let _ended = read.await.expect("the server keeps the connection open");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What the server says up to the end of the head.
    pub(crate) async fn read_head(&mut self) -> String {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(
                tokio::time::timeout(PATIENCE, self.0.read_u8())
                    .await
                    .expect("no answer")
                    .expect("closed"),
            );
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// Sends bytes and returns what comes back until the server closes.
pub(crate) async fn exchange(host: &Host, bytes: &[u8]) -> String {
    let mut connection = RawConnection::open(host).await;
    connection.write(bytes).await;
    connection.read_to_end().await
}

pub(crate) fn status(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
