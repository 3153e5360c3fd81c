//! Whatever a channel sends comes back as the same JSON; whatever else arrives is refused without a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use tidings_activity::{Activity, from_slice};

use crate::json::Json;

/// Texts with quotes, escapes, controls, NUL's neighbours and characters beyond the first plane.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        3 => "[a-zA-Z0-9 ]{0,12}",
        1 => "[\u{1}-\u{ff}\u{d7ff}\u{e000}\u{10000}-\u{10ffff}\"\\\\/]{0,12}",
        1 => Just(String::new()),
    ]
    .boxed()
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        prop_oneof![
            Just("-0"),
            Just("0.0"),
            Just("-0.0"),
            Just("1.50"),
            Just("1E+2"),
            Just("3e0"),
            Just("1e999"),
            Just("0.30000000000000004440892098500626"),
            Just("123456789012345678901234567890"),
        ]
        .prop_map(str::to_owned),
    ]
    .boxed()
}

fn anything() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number().prop_map(Json::Number),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            vec((unknown_name(), inner), 0..4).prop_map(Json::Object),
        ]
    })
    .boxed()
}

/// Names that mean something at one level stand for nothing at another; prefixed, they stand for nothing anywhere.
fn unknown_name() -> BoxedStrategy<String> {
    prop_oneof![
        text().prop_map(|name| format!("x{name}")),
        Just("ID".to_owned()),
        Just("".to_owned())
    ]
    .boxed()
}

fn strings() -> BoxedStrategy<Json> {
    text().prop_map(Json::Text).boxed()
}

fn booleans() -> BoxedStrategy<Json> {
    any::<bool>().prop_map(Json::Bool).boxed()
}

fn numbers() -> BoxedStrategy<Json> {
    number().prop_map(Json::Number).boxed()
}

fn list(item: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    vec(item, 0..3).prop_map(Json::Array).boxed()
}

/// An object with some of the fields, in any order, each the right type or null, among unknown properties, and with
/// duplicates of both.
fn object(fields: Vec<(&'static str, BoxedStrategy<Json>)>) -> BoxedStrategy<Json> {
    let count = fields.len();
    let known = proptest::strategy::Union::new(fields.into_iter().map(|(name, values)| {
        let value = prop_oneof![5 => values, 1 => Just(Json::Null)];
        value.prop_map(move |value| (name.to_owned(), value)).boxed()
    }));
    let member = prop_oneof![4 => known.boxed(), 1 => (unknown_name(), anything()).boxed()];
    vec(member, 0..count + 4).prop_map(Json::Object).boxed()
}

fn account() -> BoxedStrategy<Json> {
    let names = [
        "id",
        "name",
        "aadObjectId",
        "role",
        "tenantId",
        "agenticUserId",
        "agenticAppId",
    ];
    object(names.into_iter().map(|name| (name, strings())).collect())
}

fn conversation() -> BoxedStrategy<Json> {
    let names = [
        "id",
        "name",
        "conversationType",
        "tenantId",
        "aadObjectId",
        "role",
    ];
    let mut fields: Vec<_> = names.into_iter().map(|name| (name, strings())).collect();
    fields.push(("isGroup", booleans()));
    object(fields)
}

fn reference() -> BoxedStrategy<Json> {
    let names = [
        "activityId",
        "channelId",
        "serviceUrl",
        "locale",
        "deliveryMode",
        "requestId",
    ];
    let mut fields: Vec<_> = names.into_iter().map(|name| (name, strings())).collect();
    fields.extend([
        ("user", account()),
        ("bot", account()),
        ("conversation", conversation()),
    ]);
    object(fields)
}

fn attachment() -> BoxedStrategy<Json> {
    let names = ["contentType", "contentUrl", "name", "thumbnailUrl"];
    let mut fields: Vec<_> = names.into_iter().map(|name| (name, strings())).collect();
    fields.push(("content", anything()));
    object(fields)
}

fn entity() -> BoxedStrategy<Json> {
    let contents = [
        ("mentioned", account()),
        ("text", anything()),
        ("geo", anything()),
    ];
    object([("type", strings())].into_iter().chain(contents).collect())
}

fn card_action() -> BoxedStrategy<Json> {
    let names = ["type", "title", "image", "imageAltText", "text", "displayText"];
    let mut fields: Vec<_> = names.into_iter().map(|name| (name, strings())).collect();
    fields.extend([("value", anything()), ("channelData", anything())]);
    object(fields)
}

fn activity() -> BoxedStrategy<Json> {
    let names = [
        "id",
        "timestamp",
        "localTimestamp",
        "localTimezone",
        "serviceUrl",
        "channelId",
        "text",
        "textFormat",
        "locale",
        "replyToId",
        "speak",
        "inputHint",
        "summary",
        "attachmentLayout",
        "deliveryMode",
        "importance",
        "expiration",
        "callerId",
        "topicName",
        "action",
        "name",
        "valueType",
        "label",
        "code",
    ];
    let mut fields: Vec<_> = names.into_iter().map(|name| (name, strings())).collect();
    let reaction = || list(object(vec![("type", strings())]));
    fields.extend([
        ("from", account()),
        ("recipient", account()),
        ("conversation", conversation()),
        ("attachments", list(attachment())),
        ("entities", list(entity())),
        ("channelData", anything()),
        ("value", anything()),
        ("relatesTo", reference()),
        ("listenFor", list(strings())),
        (
            "suggestedActions",
            object(vec![("to", list(strings())), ("actions", list(card_action()))]),
        ),
        (
            "textHighlights",
            list(object(vec![("text", strings()), ("occurrence", numbers())])),
        ),
        (
            "semanticAction",
            object(vec![
                ("id", strings()),
                ("state", strings()),
                ("entities", anything()),
            ]),
        ),
        ("membersAdded", list(account())),
        ("membersRemoved", list(account())),
        ("reactionsAdded", reaction()),
        ("reactionsRemoved", reaction()),
        ("historyDisclosed", booleans()),
    ]);
    let kind = prop_oneof![Just("message".to_owned()), text()];
    (object(fields), kind, any::<prop::sample::Index>())
        .prop_map(|(object, kind, place)| {
            let Json::Object(mut members) = object else {
                unreachable!("object() makes objects")
            };
            let place = place.index(members.len() + 1);
            members.insert(place, ("type".to_owned(), Json::Text(kind)));
            Json::Object(members)
        })
        .boxed()
}

/// Duplicates inside what is kept raw stay as they came, so both sides are compared without them.
fn assert_same(sent: &Json, encoded: &str) {
    assert_eq!(Json::parse(encoded), sent.clone().without_duplicates());
}

proptest! {
    #[test]
    fn any_activity_comes_back_as_the_same_json(sent in activity()) {
        let text = sent.to_string();
        let activity = Activity::from_slice(text.as_bytes()).expect("decodes");
        let encoded = serde_json::to_string(&activity).expect("encodes");
        assert_same(&sent, &encoded);

        let again = Activity::from_slice(encoded.as_bytes()).expect("decodes again");
        prop_assert_eq!(&again, &activity);
        prop_assert_eq!(&activity.clone(), &activity);
        prop_assert_eq!(serde_json::to_string(&again).expect("encodes again"), encoded);
    }

    #[test]
    fn helpers_and_views_never_panic(sent in activity(), other in activity()) {
        let decode = |json: &Json| Activity::from_slice(json.to_string().as_bytes()).expect("decodes");
        let (mut activity, other) = (decode(&sent), decode(&other));
        let reference = activity.reference();
        let mut applied = other.clone();
        applied.apply_reference(&reference, tidings_activity::Direction::Outgoing);
        applied.apply_reference(&reference, tidings_activity::Direction::Incoming);
        for built in [reference.continuation(), activity.reply("ok"), applied] {
            let encoded = serde_json::to_vec(&built).expect("encodes");
            Activity::from_slice(&encoded).expect("what we build is an activity");
        }
        activity.remove_recipient_mention();
        let _ = (activity.sent_at(), activity.sent_at_local(), activity.expires_at());
        let _ = (activity.as_delay(), activity.as_invoke_response(), activity.as_event().map(|event| event.name()));
        let _ = format!("{activity:?}");
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Activity::from_slice(&bytes);
    }

    #[test]
    fn mutilated_activities_never_panic(
        sent in activity(),
        at in any::<prop::sample::Index>(),
        replacement in prop_oneof![Just(&b""[..]), Just(&b"\\u0000"[..]), Just(&b"5"[..]), Just(&b"\""[..]), Just(&b"["[..])],
        cut in any::<bool>(),
    ) {
        let mut bytes = sent.to_string().into_bytes();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        }
        bytes.splice(at..bytes.len().min(at + 1), replacement.iter().copied());
        if let Err(error) = Activity::from_slice(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn any_value_of_any_type_decodes_or_is_refused_by_name(json in anything(), field in 0..4_usize) {
        let field = ["from", "entities", "text", "historyDisclosed"][field];
        let text = format!(r#"{{"type":"message","{field}":{json}}}"#);
        if let Err(error) = Activity::from_slice(text.as_bytes()) {
            prop_assert!(error.path.starts_with(field), "{}", error);
        }
    }

    #[test]
    fn references_come_back_as_the_same_json(sent in reference()) {
        let decoded: tidings_activity::ConversationReference =
            from_slice(sent.to_string().as_bytes()).expect("decodes");
        assert_same(&sent, &serde_json::to_string(&decoded).expect("encodes"));
    }
}
