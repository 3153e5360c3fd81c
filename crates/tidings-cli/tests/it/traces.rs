//! Traces, as a collector gets them from the running binary.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::binary::{PATIENCE, Served, closed, tidings};

/// The traces that callers have begun, and the spans that they call from.
const OF_THE_USER: &str = "0af7651916cd43dd8448eb211c80319c";
const OF_THE_JOB_SYSTEM: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "b7ad6b7169203331";

/// A collector that takes everything.
async fn collector() -> MockServer {
    let server = MockServer::start().await;
    let collects = Mock::given(method("POST")).respond_with(ResponseTemplate::new(200));
    collects.mount(&server).await;
    server
}

/// A server whose traces go there.
fn traced(folder: &TempDir, collector: &MockServer) -> Command {
    let mut command = tidings(folder.path());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.uri())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame")
        .env("OTEL_SERVICE_NAME", "herald");
    command
}

/// A channel, and the `traceparent` of each call that it gets, as it comes.
async fn channel() -> (MockServer, mpsc::UnboundedReceiver<Option<String>>) {
    let (told, calls) = mpsc::unbounded_channel();
    let server = MockServer::start().await;
    let answer = move |request: &Request| {
        let header = request.headers.get("traceparent");
        let _ = told.send(header.map(|value| value.to_str().unwrap().to_owned()));
        ResponseTemplate::new(200).set_body_json(json!({ "id": "1" }))
    };
    Mock::given(method("POST"))
        .respond_with(answer)
        .mount(&server)
        .await;
    (server, calls)
}

async fn next(calls: &mut mpsc::UnboundedReceiver<Option<String>>) -> Option<String> {
    timeout(PATIENCE, calls.recv())
        .await
        .expect("the channel was not called")
        .unwrap()
}

/// Posts a message to the bot that a caller at `channel` traces, and returns the status.
async fn say(served: &Served, channel: &MockServer, text: &str) -> u16 {
    let activity = json!({
        "type": "message",
        "id": text,
        "channelId": "test",
        "serviceUrl": channel.uri(),
        "from": { "id": "user" },
        "recipient": { "id": "bot" },
        "conversation": { "id": "a conversation" },
        "text": text,
    });
    post(served, "/api/messages", OF_THE_USER, &activity).await
}

async fn post(served: &Served, path: &str, trace: &str, body: &Value) -> u16 {
    let request = served.client.post(format!("{}{path}", served.base));
    let response = request
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{trace}-{CALLERS_SPAN}-01"))
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    response.status().as_u16()
}

/// As the job system does, with a trace of its own.
async fn complete_the_job(served: &Served) {
    let number = served.jobs().await["jobs"][0]["number"].clone();
    let complete = format!("/api/v1/jobs/{number}/complete");
    let nothing = json!({});
    assert_eq!(post(served, &complete, OF_THE_JOB_SYSTEM, &nothing).await, 200);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a collector got, by trace and name.
struct Collected(HashMap<(String, String), Span>);

impl Collected {
    async fn by(collector: &MockServer) -> Self {
        let mut spans = HashMap::new();
        for batch in collector.received_requests().await.unwrap() {
            assert_eq!(batch.url.path(), "/v1/traces");
            assert_eq!(batch.headers["api-key"], "sesame");
            let text = String::from_utf8_lossy(&batch.body);
            assert!(text.contains("herald"), "{text}");
            for unspoken in ["starting job", "complete.", "a conversation", "/api/v1/jobs/1"] {
                assert!(!text.contains(unspoken), "{unspoken}: {text}");
            }
            let request = ExportTraceServiceRequest::decode(batch.body.as_slice()).unwrap();
            let scopes = request
                .resource_spans
                .into_iter()
                .flat_map(|resource| resource.scope_spans);
            for span in scopes.flat_map(|scope| scope.spans) {
                spans.insert((hex(&span.trace_id), span.name.clone()), span);
            }
        }
        Self(spans)
    }

    fn id(&self, trace: &str, name: &str) -> String {
        hex(&self.span(trace, name).span_id)
    }

    fn parent(&self, trace: &str, name: &str) -> String {
        hex(&self.span(trace, name).parent_span_id)
    }

    fn span(&self, trace: &str, name: &str) -> &Span {
        let key = (trace.to_owned(), name.to_owned());
        self.0
            .get(&key)
            .unwrap_or_else(|| panic!("no {key:?} among {:?}", self.0.keys()))
    }
}

#[tokio::test]
async fn one_trace_leads_from_the_trigger_to_the_channel() {
    let collector = collector().await;
    let (channel, mut calls) = channel().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start_as(&mut traced(&folder, &collector)).await;
    assert_eq!(say(&served, &channel, "run").await, 200);
    let replied = next(&mut calls).await.unwrap();
    // A program completes the job, and the engine tells the user.
    complete_the_job(&served).await;
    let notified = next(&mut calls).await.unwrap();
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));

    let collected = Collected::by(&collector).await;
    let leads = |trace: &str, names: &[&str]| {
        let mut above = CALLERS_SPAN.to_owned();
        for name in names {
            assert_eq!(collected.parent(trace, name), above, "{name} of {trace}");
            above = collected.id(trace, name);
        }
        format!("00-{trace}-{above}-01")
    };
    assert_eq!(
        replied,
        leads(OF_THE_USER, &["http.request", "turn", "connector.call"])
    );
    assert_eq!(
        notified,
        leads(
            OF_THE_JOB_SYSTEM,
            &["http.request", "delivery.attempt", "connector.call"]
        )
    );
}

#[tokio::test]
async fn a_trace_goes_on_after_a_restart() {
    let collector = collector().await;
    let (channel, mut calls) = channel().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start_as(&mut traced(&folder, &collector)).await;
    assert_eq!(say(&served, &channel, "run").await, 200);
    next(&mut calls).await.unwrap();
    // Kept from being sent until the next process.
    let pause = json!({ "scope": "all" });
    assert_eq!(
        post(&served, "/api/v1/pauses", OF_THE_USER, &pause).await / 100,
        2
    );
    complete_the_job(&served).await;
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
    let served = Served::start_as(&mut traced(&folder, &collector)).await;
    let resumed = served
        .client
        .delete(format!("{}/api/v1/pauses?scope=all", served.base))
        .send();
    assert!(resumed.await.unwrap().status().is_success());
    let notified = next(&mut calls).await.unwrap();
    assert!(
        notified.starts_with(&format!("00-{OF_THE_JOB_SYSTEM}-")),
        "{notified}"
    );
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
    let collected = Collected::by(&collector).await;
    assert_eq!(
        collected.parent(OF_THE_JOB_SYSTEM, "delivery.attempt"),
        collected.id(OF_THE_JOB_SYSTEM, "http.request")
    );
}

#[tokio::test]
async fn without_a_collector_nothing_is_traced() {
    let (channel, mut calls) = channel().await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    assert_eq!(say(&served, &channel, "run").await, 200);
    assert_eq!(next(&mut calls).await, None);
}

#[tokio::test]
async fn a_collector_that_is_gone_keeps_nobody_waiting() {
    let (channel, _calls) = channel().await;
    let closed = closed();
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidings(folder.path());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{closed}"))
        .stderr(std::process::Stdio::null());
    let served = Served::start_as(&mut command).await;
    assert_eq!(say(&served, &channel, "hello").await, 200);
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
}
