use std::time::Duration;

use serde_json::json;
use tidings_activity::{
    Activity, ActivityType, Attachment, CardAction, EndOfConversationCode, InputHint, Number, Raw,
    ResourceResponse, SuggestedActions, TextHighlight,
};

fn text(activity: &Activity) -> String {
    serde_json::to_string(activity).expect("encodes")
}

#[test]
fn constructors_write_what_they_name_and_nothing_else() {
    for (activity, expected) in [
        (Activity::message("hello"), r#"{"type":"message","text":"hello"}"#),
        (Activity::message(""), r#"{"type":"message"}"#),
        (
            Activity::event("e").with_value(json!(1)),
            r#"{"type":"event","name":"e","value":1}"#,
        ),
        (Activity::typing(), r#"{"type":"typing"}"#),
        (
            Activity::trace("t").with_label("l"),
            r#"{"type":"trace","name":"t","label":"l"}"#,
        ),
        (
            Activity::delay(Duration::from_millis(5)),
            r#"{"type":"delay","value":5}"#,
        ),
        (
            Activity::invoke_response(200, None),
            r#"{"type":"invokeResponse","value":{"status":200}}"#,
        ),
        (
            Activity::end_of_conversation(EndOfConversationCode::UserCancelled),
            r#"{"type":"endOfConversation","code":"userCancelled"}"#,
        ),
        (Activity::new("x/y"), r#"{"type":"x/y"}"#),
        (Activity::from("hello"), r#"{"type":"message","text":"hello"}"#),
    ] {
        assert_eq!(text(&activity), expected);
    }
    assert_eq!(Activity::default(), Activity::new(ActivityType::Message));
}

#[test]
fn setters_chain() {
    let activity = Activity::message("Which?")
        .with_input_hint(InputHint::ExpectingInput)
        .with_suggested_actions(SuggestedActions::new([CardAction::im_back("One", "1")]))
        .with_attachment(Attachment::from_url("image/png", "https://example.com/a.png").with_name("a.png"));
    let expected = json!({
        "type": "message", "text": "Which?", "inputHint": "expectingInput",
        "suggestedActions": {"actions": [{"type": "imBack", "title": "One", "value": "1"}]},
        "attachments": [{"contentType": "image/png", "contentUrl": "https://example.com/a.png", "name": "a.png"}],
    });
    assert_eq!(serde_json::to_value(&activity).expect("encodes"), expected);
}

#[test]
fn empty_strings_are_left_out_of_what_we_build() {
    let activity = Activity {
        locale: Some(String::new()),
        input_hint: Some("".into()),
        ..Activity::typing()
    };
    assert_eq!(text(&activity), r#"{"type":"typing"}"#);
    assert_eq!(
        serde_json::to_string(&ResourceResponse::new("")).expect("encodes"),
        "{}"
    );
}

#[test]
fn raw_values_are_equal_by_value_and_kept_by_spelling() {
    let raw = |json: &str| Raw::from_json(json.to_owned()).expect("json");
    assert_eq!(raw(r#"{"a": 1, "b": [ ]}"#), raw(r#"{"b":[],"a":1}"#));
    assert_eq!(raw(r#""\u0041""#), raw(r#""A""#));
    assert_ne!(raw("1"), raw("2"));
    assert_eq!(raw("1e999"), raw("1e999"), "also what no machine number holds");
    assert_ne!(raw("1e999"), raw("1e998"));
    assert_eq!(raw("1.50").get(), "1.50");
    assert_eq!(raw("\"a\\nb\"").as_str().as_deref(), Some("a\nb"));
    assert_eq!(
        (raw("5").as_i64(), raw("5.5").as_i64(), raw("\"5\"").as_i64()),
        (Some(5), None, None)
    );
    assert_eq!(
        (
            raw("true").as_bool(),
            raw("null").is_null(),
            Raw::default().is_null()
        ),
        (Some(true), true, true)
    );
    assert!(Raw::from_json("{} {}".to_owned()).is_err());
    assert_eq!(Raw::new("text").expect("encodes").get(), "\"text\"");
}

#[test]
fn numbers_are_whole_however_spelled() {
    let number = |json: &str| serde_json::from_str::<Number>(json);
    for (json, whole) in [
        ("3", Some(3)),
        ("3.0", Some(3)),
        ("3e0", Some(3)),
        ("-0", Some(0)),
        ("3.5", None),
        ("1e999", None),
        ("9223372036854775807", Some(i64::MAX)),
        ("9223372036854775808", None),
    ] {
        assert_eq!(number(json).expect("a number").as_i64(), whole, "{json}");
    }
    for json in ["\"3\"", "null", "true", "[]", "{}"] {
        assert!(number(json).is_err(), "{json}");
    }
    let highlight = TextHighlight {
        occurrence: Some(2_u32.into()),
        ..TextHighlight::default()
    };
    assert_eq!(
        serde_json::to_string(&highlight).expect("encodes"),
        r#"{"occurrence":2}"#
    );
}

#[test]
fn debug_shows_what_is_set() {
    assert_eq!(
        format!("{:?}", Activity::message("hello")),
        r#"Activity { kind: Message, text: Some("hello") }"#
    );
}
