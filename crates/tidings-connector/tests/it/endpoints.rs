//! Every operation of the Connector API: method, path, query, body and result.

use serde_json::{Value, json};
use tidings_activity::{
    Activity, ActivityTreatment, AttachmentData, ChannelAccount, ConversationParameters, Transcript,
};
use wiremock::matchers::{body_json, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use crate::{client, hello};

const C: &str = "conversation-1";
const A: &str = "activity-1";

/// Expects the request exactly once and answers it.
async fn once(server: &MockServer, request: MockBuilder, status: u16, answer: Value) {
    request
        .respond_with(ResponseTemplate::new(status).set_body_json(answer))
        .expect(1)
        .mount(server)
        .await;
}

fn when(verb: &str, target: &str) -> MockBuilder {
    Mock::given(method(verb)).and(path(target))
}

fn as_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("it is JSON")
}

#[tokio::test]
async fn sends_to_a_conversation() {
    let server = MockServer::start().await;
    let request = when("POST", "/v3/conversations/conversation-1/activities")
        .and(body_json(as_json(&hello())))
        .and(query_param_is_missing("isTargetedActivity"));
    once(&server, request, 201, json!({"id": "1|0001"})).await;
    let sent = client()
        .send_to_conversation(&server.uri(), C, &hello())
        .await
        .expect("sent");
    assert_eq!(sent.id, "1|0001");
}

#[tokio::test]
async fn replies_to_an_activity() {
    let server = MockServer::start().await;
    let request = when("POST", "/v3/conversations/conversation-1/activities/activity-1")
        .and(body_json(as_json(&hello())))
        .and(query_param_is_missing("isTargetedActivity"));
    once(&server, request, 202, json!({"id": "x"})).await;
    assert_eq!(
        client()
            .reply_to_activity(&server.uri(), C, A, &hello())
            .await
            .expect("sent")
            .id,
        "x"
    );
}

#[tokio::test]
async fn updates_an_activity() {
    let server = MockServer::start().await;
    let request = when("PUT", "/v3/conversations/conversation-1/activities/activity-1")
        .and(body_json(as_json(&hello())))
        .and(query_param_is_missing("isTargetedActivity"));
    once(&server, request, 200, json!({"id": "activity-1"})).await;
    assert_eq!(
        client()
            .update_activity(&server.uri(), C, A, &hello())
            .await
            .expect("updated")
            .id,
        "activity-1"
    );
}

#[tokio::test]
async fn deletes_an_activity() {
    let server = MockServer::start().await;
    let request = when("DELETE", "/v3/conversations/conversation-1/activities/activity-1")
        .and(query_param_is_missing("isTargetedActivity"));
    once(&server, request, 202, json!({})).await;
    client()
        .delete_activity(&server.uri(), C, A)
        .await
        .expect("deleted");
}

#[tokio::test]
async fn marks_targeted_activities() {
    let server = MockServer::start().await;
    let activity = hello().with_entity(ActivityTreatment::targeted());
    for (verb, target) in [
        ("POST", "/v3/conversations/conversation-1/activities"),
        ("POST", "/v3/conversations/conversation-1/activities/activity-1"),
        ("PUT", "/v3/conversations/conversation-1/activities/activity-1"),
        ("DELETE", "/v3/conversations/conversation-1/activities/activity-1"),
    ] {
        let request = when(verb, target).and(query_param("isTargetedActivity", "true"));
        once(&server, request, 200, json!({"id": "x"})).await;
    }
    let client = client();
    client
        .send_to_conversation(&server.uri(), C, &activity)
        .await
        .expect("sent");
    client
        .reply_to_activity(&server.uri(), C, A, &activity)
        .await
        .expect("sent");
    client
        .update_activity(&server.uri(), C, A, &activity)
        .await
        .expect("updated");
    client
        .delete_targeted_activity(&server.uri(), C, A)
        .await
        .expect("deleted");
}

#[tokio::test]
async fn sends_a_history() {
    let server = MockServer::start().await;
    let transcript = Transcript {
        activities: Some(vec![hello(), Activity::event("e")]),
        ..Transcript::default()
    };
    let request = when("POST", "/v3/conversations/conversation-1/activities/history")
        .and(body_json(as_json(&transcript)));
    once(&server, request, 200, json!({"id": "x"})).await;
    let sent = client()
        .send_conversation_history(&server.uri(), C, &transcript)
        .await
        .expect("sent");
    assert_eq!(sent.id, "x");
}

#[tokio::test]
async fn creates_a_conversation() {
    let server = MockServer::start().await;
    let parameters = ConversationParameters {
        bot: Some(ChannelAccount::new("28:bot", "Bot")),
        members: Some(vec![ChannelAccount::new("29:user", "User")]),
        tenant_id: Some("tenant".to_owned()),
        ..ConversationParameters::default()
    };
    let request = when("POST", "/v3/conversations").and(body_json(as_json(&parameters)));
    let answer = json!({"id": "a:1", "activityId": "2", "serviceUrl": "http://127.0.0.1:1/x"});
    once(&server, request, 201, answer).await;
    let created = client()
        .create_conversation(&server.uri(), &parameters)
        .await
        .expect("created");
    assert_eq!(created.id, "a:1");
    assert_eq!(created.activity_id.as_deref(), Some("2"));
    assert_eq!(created.service_url.as_deref(), Some("http://127.0.0.1:1/x"));
}

#[tokio::test]
async fn pages_through_conversations() {
    let server = MockServer::start().await;
    let first = when("GET", "/v3/conversations").and(query_param_is_missing("continuationToken"));
    let page =
        json!({"continuationToken": "a+b/c=&", "conversations": [{"id": "1", "members": [{"id": "u"}]}]});
    once(&server, first, 200, page).await;
    let second = when("GET", "/v3/conversations").and(query_param("continuationToken", "a+b/c=&"));
    once(&server, second, 200, json!({"conversations": []})).await;

    let page = client()
        .get_conversations(&server.uri(), None)
        .await
        .expect("a page");
    let conversations = page.conversations.expect("conversations");
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0].id.as_deref(), Some("1"));
    let token = page.continuation_token.expect("a token");
    let page = client()
        .get_conversations(&server.uri(), Some(&token))
        .await
        .expect("a page");
    assert_eq!(page.continuation_token, None);
}

#[tokio::test]
async fn reads_members() {
    let server = MockServer::start().await;
    let members = json!([{"id": "1", "name": "One"}, {"id": "2", "aadObjectId": "o"}]);
    once(
        &server,
        when("GET", "/v3/conversations/conversation-1/members"),
        200,
        members.clone(),
    )
    .await;
    once(
        &server,
        when("GET", "/v3/conversations/conversation-1/members/user-1"),
        200,
        members[0].clone(),
    )
    .await;
    once(
        &server,
        when(
            "GET",
            "/v3/conversations/conversation-1/activities/activity-1/members",
        ),
        200,
        members,
    )
    .await;

    let client = client();
    let all = client
        .get_conversation_members(&server.uri(), C)
        .await
        .expect("members");
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].aad_object_id.as_deref(), Some("o"));
    let one = client
        .get_conversation_member(&server.uri(), C, "user-1")
        .await
        .expect("a member");
    assert_eq!(one.name.as_deref(), Some("One"));
    let some = client
        .get_activity_members(&server.uri(), C, A)
        .await
        .expect("members");
    assert_eq!(some, all);
}

#[tokio::test]
async fn removes_a_member() {
    let server = MockServer::start().await;
    when("DELETE", "/v3/conversations/conversation-1/members/user-1")
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    client()
        .delete_conversation_member(&server.uri(), C, "user-1")
        .await
        .expect("removed");
}

#[tokio::test]
async fn pages_through_members() {
    let server = MockServer::start().await;
    let target = "/v3/conversations/conversation-1/pagedmembers";
    let plain = when("GET", target)
        .and(query_param_is_missing("pageSize"))
        .and(query_param_is_missing("continuationToken"));
    once(
        &server,
        plain,
        200,
        json!({"continuationToken": "t", "members": [{"id": "1"}]}),
    )
    .await;
    let sized = when("GET", target)
        .and(query_param("pageSize", "500"))
        .and(query_param("continuationToken", "t"));
    once(&server, sized, 200, json!({"members": [{"id": "2"}]})).await;

    let client = client();
    let page = client
        .get_conversation_paged_members(&server.uri(), C, None, None)
        .await
        .expect("a page");
    let token = page.continuation_token.expect("a token");
    let page = client
        .get_conversation_paged_members(&server.uri(), C, Some(500), Some(&token))
        .await
        .expect("a page");
    assert_eq!(page.members.expect("members")[0].id.as_deref(), Some("2"));
}

#[tokio::test]
async fn uploads_and_describes_an_attachment() {
    let server = MockServer::start().await;
    let file = AttachmentData {
        kind: Some("text/plain".to_owned()),
        name: Some("a.txt".to_owned()),
        original_base64: Some("aGk=".to_owned()),
        ..AttachmentData::default()
    };
    let upload = when("POST", "/v3/conversations/conversation-1/attachments").and(body_json(
        json!({"type": "text/plain", "name": "a.txt", "originalBase64": "aGk="}),
    ));
    once(&server, upload, 201, json!({"id": "file-1"})).await;
    let info = json!({"name": "a.txt", "type": "text/plain", "views": [{"viewId": "original", "size": 2}]});
    once(&server, when("GET", "/v3/attachments/file-1"), 200, info).await;

    let client = client();
    let id = client
        .upload_attachment(&server.uri(), C, &file)
        .await
        .expect("uploaded")
        .id;
    assert_eq!(id, "file-1");
    let info = client
        .get_attachment_info(&server.uri(), &id)
        .await
        .expect("info");
    assert_eq!(info.name.as_deref(), Some("a.txt"));
    assert_eq!(info.views.expect("views")[0].view_id.as_deref(), Some("original"));
}

#[tokio::test]
async fn keeps_the_path_of_the_service_url() {
    let server = MockServer::start().await;
    let target = "/teams/amer/v3/conversations/conversation-1/activities";
    when("POST", target)
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"id": "x"})))
        .expect(2)
        .mount(&server)
        .await;
    for tail in ["/teams/amer", "/teams/amer/"] {
        let service_url = format!("{}{tail}", server.uri());
        assert_eq!(
            client()
                .send_to_conversation(&service_url, C, &hello())
                .await
                .expect("sent")
                .id,
            "x"
        );
    }
}
