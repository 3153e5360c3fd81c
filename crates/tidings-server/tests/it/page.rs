//! The page at `/`.

use crate::harness::{Host, bot};

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
