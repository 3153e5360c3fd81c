//! Ids may hold anything, and reach the server as they were.

use percent_encoding::percent_decode_str;
use tidings_connector::Phase;

use crate::raw_server::{RawServer, answer};
use crate::{client, hello};

const IDS: &[&str] = &[
    "a/b",
    "a?b",
    "a#b",
    "100%",
    "%2F",
    "a:b",
    "a;messageid=1",
    "19:abc@thread.tacv2",
    "a=b&c",
    "a b  c",
    "a+b",
    "\u{fc}ml\u{e4}ut \u{1f44b} \u{202e}",
    ".",
    "..",
    "...",
    "../../v3/attachments/x",
    "a\\..\\b",
    "\r\nHost: elsewhere\r\n\r\n",
    "nul\0byte",
    "\"<>`{}|^[]'()*!$,",
];

#[tokio::test]
async fn every_id_is_one_segment_and_comes_back() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let client = client();
    for id in IDS {
        client
            .reply_to_activity(&server.url, id, id, &hello())
            .await
            .expect(id);
        let request = requests.recv().await.expect("a request");
        let segments: Vec<_> = request.target().split('/').collect();
        let ["", "v3", "conversations", conversation, "activities", activity] = segments[..] else {
            panic!("{id:?} became {:?}", request.target());
        };
        for segment in [conversation, activity] {
            assert!(
                segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)),
                "{segment}"
            );
            assert!(![".", ".."].contains(&segment), "{id:?} steps in the path");
            assert_eq!(percent_decode_str(segment).decode_utf8().expect("UTF-8"), *id);
        }
    }
}

#[tokio::test]
async fn ids_are_encoded_in_every_place() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", r#"{"id":"x"}"#)).await;
    let client = client();
    let (url, id, activity) = (server.url.as_str(), "a/b?c", hello());
    let mut targets = Vec::new();
    let mut called = async || targets.push(requests.recv().await.expect("a request").target().to_owned());

    client
        .send_to_conversation(url, id, &activity)
        .await
        .expect("sent");
    called().await;
    client
        .update_activity(url, id, id, &activity)
        .await
        .expect("updated");
    called().await;
    client.delete_activity(url, id, id).await.expect("deleted");
    called().await;
    client
        .get_conversation_member(url, id, id)
        .await
        .expect("a member");
    called().await;
    client
        .delete_conversation_member(url, id, id)
        .await
        .expect("removed");
    called().await;
    client
        .get_conversation_paged_members(url, id, Some(1), Some(id))
        .await
        .expect("a page");
    called().await;
    client.get_attachment_info(url, id).await.expect("info");
    called().await;
    client.get_attachment_view(url, id, id).await.expect("bytes");
    called().await;

    let expected = [
        "/v3/conversations/a%2Fb%3Fc/activities",
        "/v3/conversations/a%2Fb%3Fc/activities/a%2Fb%3Fc",
        "/v3/conversations/a%2Fb%3Fc/activities/a%2Fb%3Fc",
        "/v3/conversations/a%2Fb%3Fc/members/a%2Fb%3Fc",
        "/v3/conversations/a%2Fb%3Fc/members/a%2Fb%3Fc",
        "/v3/conversations/a%2Fb%3Fc/pagedmembers?pageSize=1&continuationToken=a%2Fb%3Fc",
        "/v3/attachments/a%2Fb%3Fc",
        "/v3/attachments/a%2Fb%3Fc/views/a%2Fb%3Fc",
    ];
    assert_eq!(targets, expected);
}

#[tokio::test]
async fn an_empty_or_endless_id_is_refused_without_a_call() {
    let (server, mut requests) = RawServer::answering(answer("200 OK", "", "{}")).await;
    let client = client();
    let endless = "x".repeat(1_000_000);
    for id in ["", endless.as_str()] {
        let error = client
            .send_to_conversation(&server.url, id, &hello())
            .await
            .expect_err("refused");
        assert_eq!(error.phase, Phase::Refused);
        let error = client
            .delete_activity(&server.url, "c", id)
            .await
            .expect_err("refused");
        assert_eq!(error.phase, Phase::Refused);
        assert!(error.message.len() < 1_000);
    }
    assert!(requests.try_recv().is_err());
    assert_eq!(server.connections(), 0);
}
