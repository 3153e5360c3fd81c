//! Callers that are slow, greedy or many.

use std::time::Duration;

use tidings_server::Config;
use tokio::time::timeout;

use crate::harness::{Host, PATIENCE, bot};
use crate::raw_http::{RawConnection, exchange, status};

#[tokio::test]
async fn ten_megabytes_of_one_header_are_refused() {
    let host = Host::start(bot()).await;
    let value = "x".repeat(10 * 1024 * 1024);
    let answer = exchange(
        &host,
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: {value}\r\n\r\n").as_bytes(),
    )
    .await;
    // The answer may be lost when the server closes before everything was sent.
    assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    assert_eq!(host.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_head_is_bounded() {
    let host = Host::start(bot()).await;
    let with_header = async |size: usize| {
        let value = "x".repeat(size);
        let request = format!(
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Big: {value}\r\n\r\n"
        );
        status(&exchange(&host, request.as_bytes()).await)
    };
    assert_eq!(with_header(60 * 1024).await, 200);
    // The limit of 64 KiB is checked between reads, so a head that is a little larger may pass.
    assert_eq!(with_header(256 * 1024).await, 431);
}

#[tokio::test]
async fn the_number_of_headers_is_bounded() {
    let host = Host::start(bot()).await;
    let with_headers = async |count: usize| {
        let headers: String = (0..count - 2)
            .map(|number| format!("X-{number}: 1\r\n"))
            .collect();
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        status(&exchange(&host, request.as_bytes()).await)
    };
    assert_eq!(with_headers(99).await, 200);
    assert_eq!(with_headers(100).await, 200);
    assert_eq!(with_headers(101).await, 431);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let host = Host::start(bot()).await;
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"hello\r\n\r\n",
    ] {
        let answer = exchange(&host, bytes).await;
        assert!(answer.is_empty() || status(&answer) == 400, "{answer}");
    }
    let both = b"POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
    assert_eq!(status(&exchange(&host, both).await), 400);
    assert_eq!(host.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let config = Config {
        header_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let host = Host::start_with(bot(), config).await;
    let answer = exchange(&host, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
    assert!(answer.is_empty() || status(&answer) == 408, "{answer}");
    let silent = exchange(&host, b"").await;
    assert_eq!(silent, "");
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off() {
    let config = Config {
        body_timeout: Duration::from_millis(50),
        ..Config::default()
    };
    let host = Host::start_with(bot(), config).await;
    let head = "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"type\":";
    let mut connection = RawConnection::open(&host).await;
    connection.write(head.as_bytes()).await;
    assert_eq!(status(&connection.read_head().await), 408);
}

#[tokio::test]
async fn a_body_that_breaks_off_starts_no_turn() {
    let host = Host::start(bot()).await;
    let head = "POST /api/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"type\":";
    let mut connection = RawConnection::open(&host).await;
    connection.write(head.as_bytes()).await;
    drop(connection);
    assert_eq!(host.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let host = Host::start_with(
        bot(),
        Config {
            max_connections: 1,
            ..Config::default()
        },
    )
    .await;
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = RawConnection::open(&host).await;
    first.write(request).await;
    assert_eq!(status(&first.read_head().await), 200);
    let mut second = RawConnection::open(&host).await;
    second.write(request).await;
    let mut answer = Box::pin(second.read_head());
    // While the first keeps its place, it is served and the second is not.
    for _ in 0..3 {
        first.write(request).await;
        assert!(first.read_head().await.contains("200 OK"));
        assert!(futures_util::poll!(answer.as_mut()).is_pending());
    }
    drop(first);
    let answer = timeout(PATIENCE, answer)
        .await
        .expect("the second was never served");
    assert_eq!(status(&answer), 200);
}

/// Nobody of a burst waits for the kernel's second try: the queue in front of the accept loop holds them all. (Other
/// systems cut the queue to 128.)
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_burst_of_connections_is_taken_while_nothing_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: crate::harness::database(folder.path()),
        ..Config::default()
    };
    // Bound and not yet running: nothing is accepted.
    let server = tidings_server::Server::bind(&config, bot()).await.unwrap();
    let mut burst = Vec::new();
    for _ in 0..400 {
        let connection = tokio::net::TcpStream::connect(server.local_addr());
        burst.push(
            timeout(PATIENCE, connection)
                .await
                .expect("the queue is full")
                .unwrap(),
        );
    }
}
