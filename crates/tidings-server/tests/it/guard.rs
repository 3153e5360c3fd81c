//! Local mode: only loopback names in Host and Origin, on every route; CORS on Direct Line only.

use serde_json::json;

use crate::harness::{Host, bot, message, read};
use crate::raw_http::{RawConnection, status};

const ROUTES: [&str; 12] = [
    "/",
    "/api/messages",
    "/api/v1/jobs",
    "/api/v1/jobs/events",
    "/api/v1/jobs/1/complete",
    "/api/v1/keys",
    "/api/v1/audit",
    "/api/v1/server",
    "/v3/directline/conversations",
    "/v3/conversations",
    "/healthz",
    "/no/such/route",
];

#[tokio::test]
async fn a_foreign_host_is_refused_on_every_route() {
    let host = Host::start(bot()).await;
    for route in ROUTES {
        for method in ["GET", "POST", "OPTIONS"] {
            let request = host
                .client
                .request(method.parse().unwrap(), format!("{}{route}", host.base));
            let (status, body) = read(
                request
                    .header("host", "rebound.example.com")
                    .send()
                    .await
                    .unwrap(),
            )
            .await;
            assert_eq!(
                (status, &body["error"]["field"]),
                (403, &json!("Host")),
                "{method} {route}"
            );
        }
    }
}

#[tokio::test]
async fn a_foreign_origin_is_refused_on_every_route() {
    let host = Host::start(bot()).await;
    for route in ROUTES {
        for origin in ["https://example.com", "null"] {
            let request = host
                .client
                .post(format!("{}{route}", host.base))
                .header("origin", origin);
            let response = request.send().await.unwrap();
            assert!(
                response.headers().get("access-control-allow-origin").is_none(),
                "{route}"
            );
            let (status, body) = read(response).await;
            assert_eq!(
                (status, &body["error"]["field"]),
                (403, &json!("Origin")),
                "{origin} {route}"
            );
        }
    }
}

/// Browsers ask nobody before they open a socket: `Origin` is all there is against a foreign page.
#[tokio::test]
async fn a_foreign_page_opens_no_socket() {
    let host = Host::start(bot()).await;
    let start = host
        .client
        .post(format!("{}/v3/directline/conversations", host.base));
    let (_, conversation) = read(start.send().await.unwrap()).await;
    let stream = conversation["streamUrl"].as_str().unwrap();
    let target = stream.split_once(host.authority()).unwrap().1;
    let upgrade = async |origin: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            host.authority()
        );
        let mut connection = RawConnection::open(&host).await;
        connection.write(request.as_bytes()).await;
        status(&connection.read_head().await)
    };
    for origin in [
        "https://example.com",
        "null",
        "http://localhost.example.com",
        "http://10.0.0.1",
    ] {
        assert_eq!(upgrade(origin).await, 403, "{origin}");
    }
    assert_eq!(upgrade(&host.base).await, 101);
}

#[tokio::test]
async fn loopback_names_pass() {
    let host = Host::start(bot()).await;
    let port = host.authority().rsplit_once(':').unwrap().1;
    for name in [
        format!("localhost:{port}"),
        "127.0.0.2".to_owned(),
        "[::1]:1".to_owned(),
    ] {
        let request = host
            .client
            .get(format!("{}/healthz", host.base))
            .header("host", &name);
        let request = request.header("origin", format!("http://{name}"));
        assert_eq!(request.send().await.unwrap().status(), 200, "{name}");
    }
}

#[tokio::test]
async fn configured_names_pass() {
    let config = tidings_server::Config {
        allowed_hosts: vec!["bot.lan".to_owned()],
        ..Default::default()
    };
    let host = Host::start_with(bot(), config).await;
    let get = |name: &'static str| {
        host.client
            .get(format!("{}/healthz", host.base))
            .header("host", name)
            .send()
    };
    assert_eq!(get("bot.lan:3978").await.unwrap().status(), 200);
    assert_eq!(get("other.lan").await.unwrap().status(), 403);
}

#[tokio::test]
async fn only_direct_line_has_cors() {
    let host = Host::start(bot()).await;
    let preflight = async |route: &str| {
        let request = host
            .client
            .request("OPTIONS".parse().unwrap(), format!("{}{route}", host.base));
        let request = request.header("origin", "http://localhost:5173");
        let request = request.header("access-control-request-method", "POST");
        let request = request.header(
            "access-control-request-headers",
            "authorization,content-type,x-ms-bot-agent",
        );
        request.send().await.unwrap()
    };
    let response = preflight("/v3/directline/conversations").await;
    assert!(response.status().is_success(), "{}", response.status());
    assert!(response.headers().contains_key("access-control-allow-origin"));
    for route in [
        "/api/messages",
        "/api/v1/jobs",
        "/v3/conversations/c/activities",
        "/",
    ] {
        let response = preflight(route).await;
        assert!(
            !response.headers().contains_key("access-control-allow-origin"),
            "{route}"
        );
    }
}

#[tokio::test]
async fn a_foreign_service_url_is_refused_unless_listed() {
    let host = Host::start(bot()).await;
    for url in [
        "https://example.com",
        "http://169.254.169.254/",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
    ] {
        let (status, body) = read(host.post(&message(url, "quiet")).await).await;
        assert_eq!(
            (status, &body["error"]["field"]),
            (403, &json!("serviceUrl")),
            "{url}"
        );
    }
    let config = tidings_server::Config {
        allowed_service_hosts: vec!["example.com".to_owned()],
        ..Default::default()
    };
    let host = Host::start_with(bot(), config).await;
    assert_eq!(
        host.post(&message("https://example.com", "quiet")).await.status(),
        200
    );
    assert_eq!(
        host.post(&message("https://sub.example.com", "quiet"))
            .await
            .status(),
        403
    );
}
