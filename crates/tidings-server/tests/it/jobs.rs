//! The job log's API.

use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::{Host, PATIENCE, bot, channel, message, read};

async fn start_jobs(host: &Host, count: usize) {
    let channel = channel(200).await;
    for _ in 0..count {
        assert_eq!(host.post(&message(&channel.uri(), "run")).await.status(), 200);
    }
}

#[tokio::test]
async fn the_log_is_newest_first_and_bounded() {
    let host = Host::start(bot()).await;
    let response = host.get("/api/v1/jobs").await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        read(response).await,
        (200, json!({ "jobs": [], "older": 0, "total": 0 }))
    );
    start_jobs(&host, 3).await;
    let (_, log) = read(host.get("/api/v1/jobs?limit=2").await).await;
    assert_eq!((log["older"].clone(), log["total"].clone()), (json!(1), json!(3)));
    let numbers: Vec<u64> = log["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers.len(), 2);
    assert!(numbers[0] > numbers[1], "{numbers:?}");
    let job = &log["jobs"][0];
    assert_eq!(
        *job,
        json!({
            "number": numbers[0],
            "conversationId": "conversation",
            "channelId": "test",
            "state": "running",
            "startedAt": job["startedAt"],
            "completedAt": null,
            "notice": null,
        })
    );
    job["startedAt"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
}

#[tokio::test]
async fn a_wrong_limit_is_named() {
    let host = Host::start(bot()).await;
    for limit in ["0", "501", "x", ""] {
        let (status, body) = read(host.get(&format!("/api/v1/jobs?limit={limit}")).await).await;
        assert_eq!(
            (status, &body["error"]["field"]),
            (400, &json!("limit")),
            "{limit}"
        );
    }
    let (status, body) = read(
        host.client
            .post(format!("{}/api/v1/jobs", host.base))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (405, &json!("MethodNotAllowed"))
    );
}

/// An open stream of events.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn open(host: &Host) -> Self {
        let response = host.get("/api/v1/jobs/events").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event's log; `None` when the stream ends.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix("event: jobs\ndata: ").expect(event);
                let log = serde_json::from_str(data).unwrap();
                self.text = rest.to_owned();
                return Some(log);
            }
            let more = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .expect("no event came")
                .unwrap()?;
            self.text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let log = self.next().await.expect("the stream ended");
            if wanted(&log) {
                return log;
            }
        }
    }
}

#[tokio::test]
async fn events_tell_the_log_at_once_and_after_each_change() {
    let host = Host::start(bot()).await;
    let mut events = Events::open(&host).await;
    assert_eq!(events.next().await.unwrap()["total"], 0);
    start_jobs(&host, 1).await;
    let log = events.until(|log| log["total"] == 1).await;
    assert_eq!(log["jobs"][0]["state"], "running");
    let number = host.jobs.page(1).await.unwrap().jobs[0].number;
    host.jobs.complete(number, "It is complete.").await.unwrap();
    let log = events.until(|log| log["jobs"][0]["state"] == "complete").await;
    assert!(log["jobs"][0]["completedAt"].is_string(), "{log}");
    host.begin_stop();
    while events.next().await.is_some() {}
    host.stop().await;
}

#[tokio::test]
async fn event_streams_are_bounded_and_a_closed_one_makes_room() {
    let host = Host::start(bot()).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Events::open(&host).await);
    }
    let (status, body) = read(host.get("/api/v1/jobs/events").await).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (503, &json!("TooManySubscribers"))
    );
    streams.clear();
    // The server notices a closed stream when it next writes to it.
    start_jobs(&host, 1).await;
    let reopened = async {
        while host.get("/api/v1/jobs/events").await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reopened)
        .await
        .expect("no place became free");
}
