use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_activity::{
    Activity, AttachmentData, AttachmentInfo, AudioCard, Card, ChannelAccount, ConversationParameters,
    ConversationReference, ConversationResourceResponse, ConversationsResult, ErrorResponse, ExpectedReplies,
    Extras, OAuthCard, PagedMembersResult, Raw, ReceiptCard, ResourceResponse, SigninCard, ThumbnailCard,
    Transcript, from_slice,
};

use crate::json::Json;

fn encoded(json: &str) -> String {
    let activity = Activity::from_slice(json.as_bytes()).expect("an activity");
    serde_json::to_string(&activity).expect("encodes")
}

/// One activity of each type, with what its senders send.
const ACTIVITIES: &[&str] = &[
    include_str!("../../benches/teams-message.json"),
    r#"{"type":"messageUpdate","id":"7","text":"No, order 13.","channelData":{"eventType":"editMessage"}}"#,
    r#"{"type":"messageDelete","id":"7","channelData":{"eventType":"softDeleteMessage"}}"#,
    r#"{"type":"messageReaction","replyToId":"7","reactionsAdded":[{"type":"heart"}],"reactionsRemoved":[]}"#,
    r#"{"type":"conversationUpdate","membersAdded":[{"id":"a","role":"guest"}],"topicName":"","historyDisclosed":false}"#,
    r#"{"type":"installationUpdate","action":"add-upgrade","conversation":{"id":"c","isGroup":null}}"#,
    r#"{"type":"contactRelationUpdate","action":"remove","from":{"id":"a","name":""}}"#,
    r#"{"type":"typing","text":"Thin","entities":[{"type":"streaminfo","streamSequence":2,"streamType":"streaming"}]}"#,
    r#"{"type":"event","name":"jobComplete","value":12,"valueType":"number"}"#,
    r#"{"type":"event","name":"jobComplete","value":null}"#,
    r#"{"type":"invoke","name":"adaptiveCard/action","value":{"action":{"verb":"go","data":{"n":1.0}}}}"#,
    r#"{"type":"endOfConversation","code":"completedSuccessfully","text":"Bye"}"#,
    r#"{"type":"trace","name":"n","label":"l","valueType":"v","value":["x",{"y":[]}]}"#,
    r#"{"type":"handoff","value":{"reason":"asked"}}"#,
    r#"{"type":"command","name":"application/vnd.example.go","value":{"commandId":"1","data":{}}}"#,
    r#"{"type":"commandResult","name":"application/vnd.example.go","value":{"commandId":"1","error":{}}}"#,
    r#"{"type":"suggestion","text":"Meet?","textHighlights":[{"text":"Monday","occurrence":1e0,"sure":0.75}]}"#,
    r#"{"type":"deleteUserData","from":{"id":"a"}}"#,
    r#"{"type":"x-of-tomorrow","semanticAction":{"id":"s","state":"paused","entities":{"e":{"type":"t"}}}}"#,
];

#[test]
fn every_type_comes_back_as_it_was() {
    for json in ACTIVITIES {
        assert_eq!(Json::parse(&encoded(json)), Json::parse(json), "{json}");
    }
}

#[test]
fn what_has_no_white_space_comes_back_byte_for_byte() {
    for json in ACTIVITIES {
        let json = json.trim();
        // The parser reads a known number or text and spells it anew; nothing else changes.
        assert_eq!(encoded(json), json);
    }
}

#[test]
fn nulls_empty_strings_and_order_are_kept() {
    let json = r#"{"z":1,"text":"","from":{"name":null,"x":null,"id":""},"type":"message","attachments":[],"locale":null}"#;
    assert_eq!(encoded(json), json);
}

#[test]
fn of_duplicate_keys_the_last_wins_at_the_place_of_the_first() {
    let json = r#"{"text":"a","x":1,"type":"message","text":null,"x":[2],"type":"event","text":"b"}"#;
    assert_eq!(encoded(json), r#"{"text":"b","x":[2],"type":"event"}"#);
    assert_eq!(
        encoded(r#"{"type":"event","text":"b","text":null}"#),
        r#"{"type":"event","text":null}"#
    );
    assert_eq!(
        encoded(r#"{"type":"event","text":null,"text":""}"#),
        r#"{"type":"event","text":""}"#
    );
}

#[test]
fn names_are_compared_as_spelled() {
    let json = r#"{"type":"message","Text":"not text","te\u0078t":"text"}"#;
    let activity = Activity::from_slice(json.as_bytes()).expect("an activity");
    assert_eq!(activity.text.as_deref(), Some("text"));
    assert_eq!(
        activity.extras.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        ["Text"]
    );
}

#[test]
fn a_hundred_thousand_unknown_properties_come_back() {
    let members: Vec<_> = (0..100_000)
        .map(|number| format!("\"k{number}\":{number}"))
        .collect();
    let json = format!("{{\"type\":\"message\",{}}}", members.join(","));
    assert_eq!(encoded(&json), json);

    let twice = format!(
        "{{\"type\":\"message\",{},{}}}",
        members.join(","),
        members.join(",")
    );
    assert_eq!(encoded(&twice), json, "each of them twice");
    let activity = Activity::from_slice(json.as_bytes()).expect("an activity");
    let reversed: Vec<_> = members.iter().rev().cloned().collect();
    let reversed = format!("{{{},\"type\":\"message\"}}", reversed.join(","));
    assert_eq!(
        Activity::from_slice(reversed.as_bytes()).expect("an activity"),
        activity,
        "in whatever order"
    );
}

#[test]
fn around_the_number_at_which_an_index_is_kept() {
    for count in 14..20 {
        let members: Vec<_> = (0..count)
            .map(|number| format!("\"k{number}\":{number}"))
            .collect();
        let json = format!("{{\"type\":\"message\",{}}}", members.join(","));
        assert_eq!(encoded(&json), json);
        let twice = format!("{{\"type\":\"message\",{0},{0}}}", members.join(","));
        assert_eq!(encoded(&twice), json);
    }
}

#[test]
fn fields_changed_after_decoding_keep_their_place() {
    let json = r#"{"text":"a","id":null,"x":1,"type":"message","locale":"en"}"#;
    let mut activity = Activity::from_slice(json.as_bytes()).expect("an activity");
    activity.text = Some("b".to_owned());
    activity.id = Some("7".to_owned());
    activity.locale = None;
    activity.summary = Some("s".to_owned());
    let encoded = serde_json::to_string(&activity).expect("encodes");
    assert_eq!(
        encoded,
        r#"{"text":"b","id":"7","x":1,"type":"message","summary":"s"}"#
    );
}

#[test]
fn extras_can_be_set_and_taken_out() {
    let mut activity = Activity::from_slice(br#"{"a":1,"type":"message","b":2,"c":3}"#).expect("an activity");
    assert_eq!(
        activity.extras.insert("b", serde_json::json!("two")),
        Some(Raw::from(serde_json::json!(2)))
    );
    assert_eq!(activity.extras.insert("d", serde_json::json!(4)), None);
    assert_eq!(activity.extras.remove("a").and_then(|raw| raw.as_i64()), Some(1));
    assert_eq!(
        activity.extras.remove("type"),
        None,
        "a field is not among the extras"
    );
    activity.text = Some("t".to_owned());
    let encoded = serde_json::to_string(&activity).expect("encodes");
    assert_eq!(encoded, r#"{"type":"message","b":"two","c":3,"text":"t","d":4}"#);

    activity.extras.remove("d");
    activity.extras.remove("c");
    activity.extras.remove("b");
    assert!(activity.extras.is_empty());
    assert_eq!(
        serde_json::to_string(&activity).expect("encodes"),
        r#"{"type":"message","text":"t"}"#
    );
}

#[test]
fn an_inserted_name_never_doubles_a_field() {
    let mut activity = Activity::message("hello");
    activity.extras.insert("text", serde_json::json!("other"));
    activity.extras.insert("mood", serde_json::json!("sunny"));
    let encoded = serde_json::to_string(&activity).expect("encodes");
    assert_eq!(encoded, r#"{"type":"message","text":"hello","mood":"sunny"}"#);
}

#[test]
fn extras_are_equal_by_value_in_any_order() {
    let extras = |json: &str| -> Extras {
        from_slice::<ChannelAccount>(json.as_bytes())
            .expect("an account")
            .extras
    };
    assert_eq!(
        extras(r#"{"a":1,"b":{"c":[ ]}}"#),
        extras(r#"{"b":{"c":[]},"a":1}"#)
    );
    assert_ne!(extras(r#"{"a":1,"b":2}"#), extras(r#"{"a":1,"b":3}"#));
    assert_ne!(extras(r#"{"a":1,"b":2}"#), extras(r#"{"a":1}"#));
    assert_ne!(extras(r#"{"a":1,"b":2}"#), extras(r#"{"b":1,"a":2}"#));
}

#[test]
fn it_also_goes_through_a_value() {
    let json: serde_json::Value = serde_json::from_str(ACTIVITIES[0]).expect("json");
    let activity: Activity = serde_json::from_value(json.clone()).expect("an activity");
    assert_eq!(serde_json::to_value(&activity).expect("a value"), json);
}

fn comes_back<T: Serialize + DeserializeOwned>(json: &str) {
    let decoded: T = from_slice(json.as_bytes()).expect(json);
    assert_eq!(serde_json::to_string(&decoded).expect("encodes"), json);
}

#[test]
fn requests_and_answers_come_back_as_they_were() {
    comes_back::<ConversationReference>(
        r#"{"activityId":"1","user":{"id":"u"},"agent":{"id":"b"},"bot":{"id":"b","x":1},"deliveryMode":"later"}"#,
    );
    comes_back::<ResourceResponse>(r#"{"id":"1","x":[]}"#);
    comes_back::<ResourceResponse>(r#"{"id":null}"#);
    comes_back::<ResourceResponse>(r#"{"id":""}"#);
    comes_back::<ResourceResponse>("{}");
    comes_back::<ConversationResourceResponse>(
        r#"{"id":"c","activityId":"1","serviceUrl":"https://example.com"}"#,
    );
    comes_back::<ConversationParameters>(
        r#"{"isGroup":false,"bot":{"id":"b"},"members":[{"id":"u"}],"activity":{"type":"message","y":1},"z":{}}"#,
    );
    comes_back::<PagedMembersResult>(r#"{"continuationToken":"t","members":[{"id":"u","x":1}]}"#);
    comes_back::<ConversationsResult>(r#"{"conversations":[{"id":"c","members":[{"id":"u"}]}]}"#);
    comes_back::<Transcript>(r#"{"activities":[{"type":"message"}]}"#);
    comes_back::<ExpectedReplies>(r#"{"activities":[]}"#);
    comes_back::<AttachmentData>(
        r#"{"type":"image/png","name":"a","originalBase64":"AA==","thumbnailBase64":null}"#,
    );
    comes_back::<AttachmentInfo>(
        r#"{"name":"a","type":"image/png","views":[{"viewId":"original","size":12.0}]}"#,
    );
    comes_back::<ErrorResponse>(
        r#"{"error":{"code":"BadArgument","message":"no","innerHttpError":{"statusCode":502,"body":"<html>"}}}"#,
    );
}

#[test]
fn cards_come_back_as_they_were() {
    fn card<C: Card>(json: &str) {
        comes_back::<C>(json);
    }
    card::<ThumbnailCard>(
        r#"{"title":"t","images":[{"url":"u","alt":"a","tap":{"type":"openUrl","value":"v"},"x":1}]}"#,
    );
    card::<AudioCard>(
        r#"{"image":{"url":"u"},"media":[{"url":"m","profile":"p"}],"autoloop":true,"value":[1],"y":null}"#,
    );
    card::<ReceiptCard>(
        r#"{"title":"t","facts":[{"key":"k","value":"v"}],"items":[{"title":"i","price":"$1.00","quantity":"2"}]}"#,
    );
    card::<SigninCard>(
        r#"{"text":"t","buttons":[{"type":"signin","title":"s","value":"https://example.com"}]}"#,
    );
    card::<OAuthCard>(
        r#"{"connectionName":"c","tokenExchangeResource":{"id":"1","uri":"u","providerId":"p"},"tokenPostResource":{"sasUrl":"s"}}"#,
    );
}
