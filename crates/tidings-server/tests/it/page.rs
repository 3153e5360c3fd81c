//! The page at `/`.

use crate::harness::{Host, bot, read};

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy() {
    let host = Host::start(bot()).await;
    let response = host.get("/").await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    let policy = headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "connect-src 'self'",
    ] {
        assert!(policy.contains(part), "{part} is missing in {policy}");
    }
    assert!(!policy.contains("unsafe-eval"), "{policy}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let page = response.text().await.unwrap();
    assert!(page.contains("<title>Tidings"), "{page}");
    assert!(
        !page.contains("<script>"),
        "the policy forbids scripts in the page: {page}"
    );
}

/// A page opened as `localhost` shows what was uploaded to `127.0.0.1`, and the other way round.
#[tokio::test]
async fn uploaded_pictures_and_sockets_are_allowed_by_each_loopback_name() {
    let host = Host::start(bot()).await;
    let port = host.authority().rsplit_once(':').unwrap().1;
    let response = host.get("/").await;
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    for (directive, scheme) in [("img-src", "http"), ("media-src", "http"), ("connect-src", "ws")] {
        let sources: Vec<&str> = policy
            .split(';')
            .find_map(|part| part.trim().strip_prefix(directive))
            .unwrap()
            .split_whitespace()
            .collect();
        for name in ["localhost", "127.0.0.1"] {
            let source = format!("{scheme}://{name}:{port}");
            assert!(
                sources.contains(&source.as_str()),
                "{source} in {directive}: {policy}"
            );
        }
    }
}

#[tokio::test]
async fn the_page_is_only_read() {
    let host = Host::start(bot()).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = host
            .client
            .request(method.parse().unwrap(), format!("{}/", host.base));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["allow"], "GET, HEAD", "{method}");
        let (status, body) = read(response).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (405, Some("MethodNotAllowed")),
            "{method}"
        );
        let elsewhere = host
            .client
            .request(method.parse().unwrap(), format!("{}/no/such/file", host.base));
        assert_eq!(elsewhere.send().await.unwrap().status(), 404, "{method}");
    }
}

#[tokio::test]
async fn every_asset_of_the_page_is_there() {
    let host = Host::start(bot()).await;
    let page = host.get("/").await.text().await.unwrap();
    let assets: Vec<&str> = page
        .split(['"', '\''])
        .filter(|part| part.starts_with('/') && part.contains('.'))
        .collect();
    assert!(!assets.is_empty(), "{page}");
    for asset in assets {
        let response = host.get(asset).await;
        assert_eq!(response.status(), 200, "{asset}");
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(
            kind.contains("javascript") || kind.contains("css") || kind.contains("image"),
            "{asset} is {kind}"
        );
        assert!(response.headers().contains_key("cache-control"), "{asset}");
    }
}

#[tokio::test]
async fn health_and_readiness() {
    let host = Host::start(bot()).await;
    assert_eq!(
        host.get("/healthz").await.text().await.unwrap(),
        r#"{"status":"ok"}"#
    );
    assert_eq!(
        host.get("/readyz").await.text().await.unwrap(),
        r#"{"status":"ready"}"#
    );
    let head = host
        .client
        .head(format!("{}/readyz", host.base))
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
}
