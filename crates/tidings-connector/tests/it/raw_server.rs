//! A server that does on its connections exactly what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A listener on a free port, each connection of which is served by the test's function.
pub(crate) struct RawServer {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    pub(crate) async fn start<F, S>(serve: S) -> Self
    where
        S: Fn(Wire) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Wire {
                    stream,
                    received: Vec::new(),
                }));
            }
        });
        Self { url, connections }
    }

    /// Answers every request with the same bytes, and reports each request.
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> (Self, mpsc::UnboundedReceiver<Seen>) {
        let (seen, requests) = mpsc::unbounded_channel();
        let answer: Arc<[u8]> = answer.into().into();
        let server = Self::start(move |mut wire| {
            let (seen, answer) = (seen.clone(), Arc::clone(&answer));
            async move {
                while let Some(request) = wire.request().await {
                    // Nobody may be interested.
                    let _ = seen.send(request);
                    wire.send(&answer).await;
                }
            }
        })
        .await;
        (server, requests)
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A request as it came over the wire.
#[derive(Debug)]
pub(crate) struct Seen {
    /// `POST /path HTTP/1.1` and the header lines.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().expect("a method")
    }

    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).expect("a target")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One connection.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    /// Reads up to the end of the next head and returns it; `None` if the client has closed.
    pub(crate) async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.received.drain(..end + 4).collect();
                return Some(String::from_utf8(head).expect("an ASCII head"));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads the next request, body included.
    pub(crate) async fn request(&mut self) -> Option<Seen> {
        let head = self.head().await?;
        let mut seen = Seen {
            head,
            body: String::new(),
        };
        let length = seen
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        while self.received.len() < length {
            if !self.more().await {
                return None;
            }
        }
        seen.body = String::from_utf8(self.received.drain(..length).collect()).expect("a UTF-8 body");
        Some(seen)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // A client that is already gone is not this server's problem.
        let _ = self.stream.write_all(bytes).await;
    }

    async fn more(&mut self) -> bool {
        self.stream
            .read_buf(&mut self.received)
            .await
            .is_ok_and(|count| count > 0)
    }
}

/// An HTTP answer with a `Content-Length`.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}
