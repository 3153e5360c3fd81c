use std::time::Duration;

use serde_json::{Value, json};
use tidings_activity::{Activity, ChannelAccount, ConversationAccount, DeliveryMode};
use tidings_bot::{Adapter, CreateConversation, Inbound, Result, Router, TurnContext};
use tidings_connector::ConnectorClient;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

async fn hello(turn: &mut TurnContext) -> Result<()> {
    turn.say("hello").await
}

async fn edit(turn: &mut TurnContext) -> Result<()> {
    turn.update(Activity::message("changed").with_id("a/1")).await?;
    turn.delete("a/1").await
}

fn adapter() -> Adapter {
    let connector = ConnectorClient::builder().build().unwrap();
    Adapter::builder()
        .connector(connector)
        .bot(Router::new().otherwise(hello).message("edit", edit))
        .build()
        .unwrap()
}

fn message(channel: &MockServer, text: &str) -> Activity {
    Activity::message(text)
        .with_id("in 1")
        .with_channel_id("test")
        .with_service_url(format!("{}/base/", channel.uri()))
        .with_conversation(ConversationAccount::new("c/1"))
        .with_from(ChannelAccount::new("user", "User"))
        .with_recipient(ChannelAccount::new("bot", "Bot"))
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let channel = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(template)
        .mount(&channel)
        .await;
    channel
}

async fn requests(channel: &MockServer) -> Vec<(String, String, Value)> {
    let received = channel.received_requests().await.unwrap();
    let parts = |request: &wiremock::Request| {
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        (request.method.to_string(), request.url.path().to_owned(), body)
    };
    received.iter().map(parts).collect()
}

#[tokio::test]
async fn a_reply_goes_by_the_reply_route_and_the_id_comes_back() {
    let channel = answering(ResponseTemplate::new(200).set_body_json(json!({"id": "out"}))).await;
    let response = adapter()
        .process(Inbound::anonymous(message(&channel, "x")))
        .await
        .unwrap();
    assert_eq!((response.status, response.body), (200, None));
    let requests = requests(&channel).await;
    let [(_, path, body)] = requests.as_slice() else {
        panic!("one request")
    };
    assert_eq!(path, "/base/v3/conversations/c%2F1/activities/in%201");
    assert_eq!(
        *body,
        json!({
            "type": "message", "text": "hello", "inputHint": "acceptingInput", "channelId": "test",
            "serviceUrl": format!("{}/base/", channel.uri()), "conversation": {"id": "c/1"}, "replyToId": "in 1",
            "from": {"id": "bot", "name": "Bot"}, "recipient": {"id": "user", "name": "User"}
        })
    );
}

#[tokio::test]
async fn an_unsolicited_message_goes_by_the_send_route() {
    let channel = answering(ResponseTemplate::new(200)).await;
    let reference = message(&channel, "x").reference();
    adapter().continue_conversation(&reference, hello).await.unwrap();
    let requests = requests(&channel).await;
    let [(_, path, body)] = requests.as_slice() else {
        panic!("one request")
    };
    assert_eq!(path, "/base/v3/conversations/c%2F1/activities");
    assert_eq!(body.get("replyToId"), None);
    assert_eq!(body.get("id"), None);
}

#[tokio::test]
async fn updates_and_deletions_name_the_activity() {
    let channel = MockServer::start().await;
    Mock::given(method("PUT"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&channel)
        .await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&channel)
        .await;
    adapter()
        .process(Inbound::anonymous(message(&channel, "edit")))
        .await
        .unwrap();
    let requests = requests(&channel).await;
    let sent: Vec<_> = requests
        .iter()
        .map(|(method, path, _)| (method.as_str(), path.as_str()))
        .collect();
    let path = "/base/v3/conversations/c%2F1/activities/a%2F1";
    assert_eq!(sent, [("PUT", path), ("DELETE", path)]);
    assert_eq!(requests[0].2["id"], "a/1");
}

#[tokio::test]
async fn a_handler_may_ask_the_connector_itself() {
    async fn count(turn: &mut TurnContext) -> Result<()> {
        let here = turn.reference().reference;
        let (service_url, id) = (
            here.service_url.as_deref().unwrap(),
            here.conversation_id().unwrap(),
        );
        let members = turn
            .connector()?
            .get_conversation_members(service_url, id)
            .await?;
        turn.say(format!("{} of us", members.len())).await
    }
    let channel = answering(ResponseTemplate::new(200)).await;
    Mock::given(method("GET"))
        .and(path("/base/v3/conversations/c%2F1/members"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([{"id": "user"}, {"id": "bot"}])))
        .mount(&channel)
        .await;
    let adapter = Adapter::builder()
        .connector(ConnectorClient::builder().build().unwrap())
        .bot(Router::new().otherwise(count))
        .build()
        .unwrap();
    adapter
        .process(Inbound::anonymous(message(&channel, "x")))
        .await
        .unwrap();
    assert_eq!(requests(&channel).await[1].2["text"], "2 of us");
    let none = Adapter::builder()
        .outbound(std::sync::Arc::new(tidings_bot::Collector::default()))
        .bot(Router::new().otherwise(count))
        .build()
        .unwrap();
    let error = none
        .process(Inbound::anonymous(message(&channel, "x")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("ConnectorClient"), "{error}");
}

#[tokio::test]
async fn a_conversation_is_created_at_the_connector() {
    let channel = MockServer::start().await;
    let created = json!({"id": "new", "serviceUrl": format!("{}/moved", channel.uri())});
    Mock::given(path("/v3/conversations"))
        .respond_with(ResponseTemplate::new(201).set_body_json(created))
        .mount(&channel)
        .await;
    Mock::given(path("/moved/v3/conversations/new/activities"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&channel)
        .await;
    let create = CreateConversation::new("msteams", channel.uri())
        .bot(ChannelAccount::new("28:bot", "Bot"))
        .tenant("t");
    let reference = adapter().create_conversation(create, hello).await.unwrap();
    assert_eq!(reference.service_url, Some(format!("{}/moved", channel.uri())));
    let requests = requests(&channel).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(
        requests[0].2,
        json!({"bot": {"id": "28:bot", "name": "Bot"}, "tenantId": "t", "channelData": {"tenant": {"id": "t"}}})
    );
}

#[tokio::test]
async fn a_429_is_waited_for() {
    let channel = MockServer::start().await;
    let busy = ResponseTemplate::new(429).insert_header("retry-after", "0");
    Mock::given(method("POST"))
        .respond_with(busy)
        .up_to_n_times(2)
        .mount(&channel)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&channel)
        .await;
    assert_eq!(
        adapter()
            .process(Inbound::anonymous(message(&channel, "x")))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(requests(&channel).await.len(), 3);
}

#[tokio::test]
async fn anything_else_ends_the_turn_with_an_error_at_once() {
    for status in [400, 403, 404, 500, 503] {
        let channel = answering(ResponseTemplate::new(status)).await;
        let error = adapter()
            .process(Inbound::anonymous(message(&channel, "x")))
            .await
            .unwrap_err();
        assert_eq!(error.status(), 500);
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(requests(&channel).await.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_channel_that_cannot_be_reached_or_hangs_ends_the_turn_with_an_error() {
    let nobody = MockServer::start().await;
    let mut activity = message(&nobody, "x");
    activity.service_url = Some("http://127.0.0.1:1/".to_owned());
    assert_eq!(
        adapter()
            .process(Inbound::anonymous(activity))
            .await
            .unwrap_err()
            .status(),
        500
    );

    let hanging = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(600))).await;
    let connector = ConnectorClient::builder()
        .timeout(Duration::from_millis(200))
        .build()
        .unwrap();
    let impatient = Adapter::builder()
        .connector(connector)
        .bot(Router::new().otherwise(hello))
        .build()
        .unwrap();
    assert_eq!(
        impatient
            .process(Inbound::anonymous(message(&hanging, "x")))
            .await
            .unwrap_err()
            .status(),
        500
    );
}

#[tokio::test]
async fn expected_replies_never_reach_the_connector() {
    let channel = answering(ResponseTemplate::new(200)).await;
    let activity = message(&channel, "x").with_delivery_mode(DeliveryMode::ExpectReplies);
    let body = adapter()
        .process(Inbound::anonymous(activity))
        .await
        .unwrap()
        .body
        .unwrap();
    assert_eq!(body.parse::<Value>().unwrap()["activities"][0]["text"], "hello");
    assert!(requests(&channel).await.is_empty());
}
