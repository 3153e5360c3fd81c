//! Traces, as a collector gets them from the running binary.

use std::collections::HashMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::binary::{Served, tidings};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

async fn answering(status: u16) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(status).set_body_json(json!({ "id": "1" })))
        .mount(&server)
        .await;
    server
}

/// Posts a message that a caller at `channel` traces, and returns the status.
async fn post(served: &Served, channel: &MockServer, text: &str) -> u16 {
    let activity = json!({
        "type": "message",
        "id": text,
        "channelId": "test",
        "serviceUrl": channel.uri(),
        "from": { "id": "user" },
        "recipient": { "id": "bot" },
        "conversation": { "id": "conversation" },
        "text": text,
    });
    let request = served.client.post(format!("{}/api/messages", served.base));
    let response = request
        .header("content-type", "application/json")
        .header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"))
        .body(activity.to_string())
        .send()
        .await
        .unwrap();
    response.status().as_u16()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn one_trace_leads_from_the_caller_to_the_channel() {
    let (collector, channel) = (answering(200).await, answering(200).await);
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidings(folder.path());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.uri())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=sesame")
        .env("OTEL_SERVICE_NAME", "herald");
    let served = Served::start_as(&mut command).await;
    assert_eq!(post(&served, &channel, "a word that nobody traces").await, 200);
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));

    let batches = collector.received_requests().await.unwrap();
    assert!(!batches.is_empty(), "the traces are sent before the end");
    let mut spans: HashMap<String, Span> = HashMap::new();
    for batch in &batches {
        assert_eq!(batch.url.path(), "/v1/traces");
        assert_eq!(batch.headers["api-key"], "sesame");
        let text = String::from_utf8_lossy(&batch.body);
        assert!(text.contains("herald"), "{text}");
        assert!(!text.contains("nobody traces"), "{text}");
        let request = ExportTraceServiceRequest::decode(batch.body.as_slice()).unwrap();
        for span in request
            .resource_spans
            .into_iter()
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
        {
            spans.insert(span.name.clone(), span);
        }
    }
    let parent_of = |name: &str| {
        let span = &spans[name];
        assert_eq!(hex(&span.trace_id), TRACE, "{name}");
        hex(&span.parent_span_id)
    };
    assert_eq!(parent_of("http.request"), "b7ad6b7169203331");
    assert_eq!(parent_of("turn"), hex(&spans["http.request"].span_id));
    assert_eq!(parent_of("connector.call"), hex(&spans["turn"].span_id));
    let called = channel.received_requests().await.unwrap();
    let traceparent = called[0].headers["traceparent"].to_str().unwrap();
    assert_eq!(
        traceparent,
        format!("00-{TRACE}-{}-01", hex(&spans["connector.call"].span_id))
    );
}

#[tokio::test]
async fn without_a_collector_nothing_is_traced() {
    let channel = answering(200).await;
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    assert_eq!(post(&served, &channel, "hello").await, 200);
    let called = channel.received_requests().await.unwrap();
    assert!(!called[0].headers.contains_key("traceparent"));
}

#[tokio::test]
async fn a_collector_that_is_gone_keeps_nobody_waiting() {
    let channel = answering(200).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidings(folder.path());
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{closed}"))
        .stderr(std::process::Stdio::null());
    let served = Served::start_as(&mut command).await;
    assert_eq!(post(&served, &channel, "hello").await, 200);
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
}
