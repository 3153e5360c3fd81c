//! A channel that cannot be reached, refuses, fails or hangs: the turn ends with an error, the process lives, the job
//! stays and its notice waits.

use std::time::Duration;

use serde_json::json;
use tidings_server::Config;
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, ResponseTemplate};

use crate::harness::{Host, PATIENCE, bot, channel, message, read};

/// Waits until the only job of the log satisfies the test.
async fn until_notice(host: &Host, state: &str) {
    let mut changes = host.jobs.watch();
    let reached = async {
        loop {
            changes.borrow_and_update();
            let (_, log) = read(host.get("/api/v1/jobs").await).await;
            if log["jobs"][0]["notice"] == json!(state) {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(|_| panic!("the notice never became {state}"));
}

async fn run_fails_and_the_job_stays(host: &Host, service_url: &str) {
    let (status, body) = read(host.post(&message(service_url, "run")).await).await;
    assert_eq!(status, 500, "{body}");
    let (_, log) = read(host.get("/api/v1/jobs").await).await;
    assert_eq!(
        (&log["jobs"][0]["state"], &log["total"]),
        (&json!("running"), &json!(1))
    );
    assert_eq!(host.post(&message(service_url, "quiet")).await.status(), 200);
}

async fn notice_waits(host: &Host) {
    let number = host.jobs.page(1).await.unwrap().jobs[0].number;
    host.jobs.complete(number, "It is complete.").await.unwrap();
    until_notice(host, "retryable").await;
}

#[tokio::test]
async fn an_unreachable_channel() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let host = Host::start(bot()).await;
    run_fails_and_the_job_stays(&host, &format!("http://{closed}")).await;
    notice_waits(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_channel_that_fails() {
    let channel = channel(503).await;
    let host = Host::start(bot()).await;
    run_fails_and_the_job_stays(&host, &channel.uri()).await;
    notice_waits(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_channel_that_refuses() {
    let channel = channel(403).await;
    let host = Host::start(bot()).await;
    run_fails_and_the_job_stays(&host, &channel.uri()).await;
    let number = host.jobs.page(1).await.unwrap().jobs[0].number;
    host.jobs.complete(number, "It is complete.").await.unwrap();
    until_notice(&host, "dead").await;
}

#[tokio::test]
async fn a_channel_that_hangs() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config {
        send_timeout: Duration::from_millis(100),
        ..Config::default()
    };
    let host = Host::start_with(bot(), config).await;
    run_fails_and_the_job_stays(&host, &format!("http://{}", silent.local_addr().unwrap())).await;
    notice_waits(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_notice_that_waited_arrives_when_the_channel_is_back() {
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    assert_eq!(host.post(&message(&channel.uri(), "run")).await.status(), 200);
    channel.reset().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&channel)
        .await;
    notice_waits(&host).await;
    channel.reset().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&channel)
        .await;
    let host = host.restart(bot()).await;
    until_notice(&host, "delivered").await;
    let told = channel.received_requests().await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].url.path(), "/v3/conversations/conversation/activities");
    assert_eq!(
        told[0].body_json::<serde_json::Value>().unwrap()["text"],
        "It is complete."
    );
}

/// Ids are the channel's own business: whatever stands in them comes back to it, also from the database.
#[tokio::test]
async fn ids_with_any_characters_come_back_as_they_were() {
    let host = Host::start(bot()).await;
    let channel = channel(200).await;
    let id = "a/b ?#%25;é|..";
    let mut activity = message(&channel.uri(), "run");
    activity["conversation"]["id"] = json!(id);
    activity["id"] = json!(id);
    activity["from"]["id"] = json!(id);
    assert_eq!(host.post(&activity).await.status(), 200);
    let number = host.jobs.page(1).await.unwrap().jobs[0].number;
    host.jobs.complete(number, "It is complete.").await.unwrap();
    until_notice(&host, "delivered").await;
    let (_, log) = read(host.get("/api/v1/jobs").await).await;
    assert_eq!(log["jobs"][0]["conversationId"], json!(id));
    let calls = channel.received_requests().await.unwrap();
    assert_eq!(calls.len(), 2);
    for (call, has_activity) in calls.iter().zip([true, false]) {
        let ids: Vec<String> = call
            .url
            .path_segments()
            .unwrap()
            .skip(2)
            .step_by(2)
            .map(|segment| {
                percent_encoding::percent_decode_str(segment)
                    .decode_utf8()
                    .unwrap()
                    .into_owned()
            })
            .collect();
        assert_eq!(
            ids,
            if has_activity { vec![id, id] } else { vec![id] },
            "{}",
            call.url
        );
        let body: serde_json::Value = call.body_json().unwrap();
        assert_eq!(body["conversation"]["id"], json!(id));
        assert_eq!(body["recipient"]["id"], json!(id));
    }
}
