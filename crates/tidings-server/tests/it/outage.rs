//! PostgreSQL goes away while the server runs, and comes back.

use std::sync::Arc;

use reqwest::Response;
use serde_json::{Value, json};
use tidings_server::Config;
use tidings_store::test_postgres::TestPostgres;

use crate::harness::{Host, bot, channel, message, read};

async fn post(host: &Host, path: &str, body: Value) -> Response {
    let request = host.client.post(format!("{}{path}", host.base));
    request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn whoever_asks_while_the_database_is_away_is_told_so_and_served_when_it_is_back() {
    let database = TestPostgres::start();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let host = Host::start_on(database.url(), folder, bot(), Config::default()).await;
    let channel = channel(200).await;
    let run = || message(&channel.uri(), "run");
    assert_eq!(host.post(&run()).await.status(), 200);
    let order = || {
        json!({ "conversationId": "conversation", "channelId": "test",
                "activity": { "type": "message", "text": "news" } })
    };
    database.crash();
    let (turn, quiet) = (run(), message(&channel.uri(), "quiet"));
    let answers = tokio::join!(
        post(&host, "/api/v1/deliveries", order()),
        post(&host, "/api/v1/jobs/1001/complete", json!({})),
        post(&host, "/v3/directline/conversations", json!({})),
        host.post(&turn),
        host.post(&quiet),
        host.get("/api/v1/jobs"),
        host.get("/readyz"),
    );
    for answer in <[Response; 7]>::from(answers) {
        let path = answer.url().path().to_owned();
        let (wait, (status, body)) = (answer.headers().get("retry-after").is_some(), read(answer).await);
        assert_eq!((status, wait), (503, true), "{path}: {body}");
        assert_eq!(body["error"]["code"], "DatabaseUnavailable", "{path}: {body}");
    }
    assert_eq!(host.get("/healthz").await.status(), 200);
    database.start_again();
    assert_eq!(post(&host, "/api/v1/deliveries", order()).await.status(), 202);
    let completed = post(&host, "/api/v1/jobs/1001/complete", json!({})).await;
    let (status, body) = read(completed).await;
    assert_eq!((status, &body["alreadyComplete"]), (200, &json!(false)));
    assert_eq!(
        post(&host, "/v3/directline/conversations", json!({}))
            .await
            .status(),
        201
    );
    // What came while it was away may be sent again by the channel, and has its turn then.
    for activity in [&turn, &quiet] {
        assert_eq!(host.post(activity).await.status(), 200);
    }
    assert_eq!(host.get("/readyz").await.status(), 200);
    host.stop().await;
}
