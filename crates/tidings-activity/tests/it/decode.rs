use tidings_activity::{
    Activity, ConversationParameters, DecodeError, DecodeErrorKind, Transcript, from_slice,
};

fn refused(json: &str) -> DecodeError {
    Activity::from_slice(json.as_bytes()).expect_err(json)
}

#[test]
fn a_wrong_type_is_named_by_its_full_path() {
    for (json, path) in [
        (r#"{"type":5}"#, "type"),
        (r#"{"type":null}"#, "type"),
        (r#"{"type":"message","text":{}}"#, "text"),
        (r#"{"type":"message","from":"ana"}"#, "from"),
        (r#"{"type":"message","from":1e999}"#, "from"),
        (
            r#"{"type":"message","from":{"x":{"deep":[1]},"id":5}}"#,
            "from.id",
        ),
        (
            r#"{"x":[{"y":1}],"type":"message","entities":[{"a":1},{},{"type":7}]}"#,
            "entities[2].type",
        ),
        (
            r#"{"type":"message","conversation":{"isGroup":"yes"}}"#,
            "conversation.isGroup",
        ),
        (r#"{"type":"message","attachments":{}}"#, "attachments"),
        (r#"{"type":"message","attachments":[null]}"#, "attachments[0]"),
        (
            r#"{"type":"message","relatesTo":{"bot":{"role":true}}}"#,
            "relatesTo.bot.role",
        ),
        (r#"{"type":"message","listenFor":["a",1]}"#, "listenFor[1]"),
        (
            r#"{"type":"message","textHighlights":[{"occurrence":"1"}]}"#,
            "textHighlights[0].occurrence",
        ),
        (
            r#"{"type":"message","suggestedActions":{"actions":[{"title":[]}]}}"#,
            "suggestedActions.actions[0].title",
        ),
        (
            r#"{"type":"message","membersAdded":[{"id":"a"},{"id":false}]}"#,
            "membersAdded[1].id",
        ),
    ] {
        let error = refused(json);
        assert_eq!(
            (error.path.as_str(), error.kind),
            (path, DecodeErrorKind::WrongType),
            "{json}: {error}"
        );
        assert!(error.to_string().starts_with(&format!("{path}: ")), "{error}");
    }
}

#[test]
fn type_is_required() {
    for json in ["{}", r#"{"text":"hello","Type":"message"}"#] {
        let error = refused(json);
        assert_eq!(
            (error.path.as_str(), error.kind),
            ("type", DecodeErrorKind::MissingField)
        );
        assert_eq!(error.to_string(), "type: missing: this field is required");
    }
    let error = from_slice::<ConversationParameters>(br#"{"activity":{"text":"a"}}"#).expect_err("no type");
    assert_eq!(error.path, "activity.type");
    let error = from_slice::<Transcript>(br#"{"activities":[{"type":"message"},{}]}"#).expect_err("no type");
    assert_eq!(error.path, "activities[1].type");
}

#[test]
fn what_is_not_an_object_is_refused() {
    for json in ["null", "[]", "5", "\"message\"", " true "] {
        assert_eq!(refused(json).kind, DecodeErrorKind::NotAnObject, "{json}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    let whole = r#"{"type":"message","channelData":{"a":[1,2]},"from":{"id":"é"}}"#;
    for end in (0..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
        assert_eq!(
            refused(&whole[..end]).kind,
            DecodeErrorKind::Syntax,
            "{}",
            &whole[..end]
        );
    }
    for json in [
        "",
        " ",
        r#"{"type":"message"}{"#,
        r#"{"type":"message",}"#,
        r#"{"type":"message","x":[1,]}"#,
        r#"{"type":"message","x":01}"#,
        r#"{"type":"message","x":NaN}"#,
        "{\"type\":\"message\",\"x\":\"a\nb\"}",
        "{\"type\":\"message\",\"x\":\"a\u{0}b\"}",
        r#"{"type":"message","x":"\x"}"#,
        "\u{feff}{\"type\":\"message\"}",
    ] {
        assert_eq!(refused(json).kind, DecodeErrorKind::Syntax, "{json}");
    }
    let error = Activity::from_slice(b"{\"type\":\"mess\xffage\"}").expect_err("not UTF-8");
    assert_eq!(error.kind, DecodeErrorKind::Syntax);
}

#[test]
fn deep_nesting_is_refused_wherever_it_stands() {
    let nested = |depth: usize| {
        // The activity is the first level.
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"type":"message","channelData":{open}{close}}}"#)
    };
    for depth in [127, 128] {
        let activity = Activity::from_slice(nested(depth).as_bytes()).expect("deep, but not too deep");
        let channel_data = activity.channel_data.expect("channelData");
        channel_data
            .parse::<serde_json::Value>()
            .expect("what is let in can be read");
    }
    for depth in [129, 50_000] {
        let error = refused(&nested(depth));
        assert_eq!(error.kind, DecodeErrorKind::TooDeep);
        assert!(error.path.starts_with("channelData[0]"), "{error}");
        assert!(error.path.chars().count() < 250, "a long path is cut");
    }
}

#[test]
fn nul_and_half_pairs_are_refused_wherever_they_stand() {
    for (json, path) in [
        (r#"{"type":"message","text":"a\u0000"}"#, "text"),
        (
            r#"{"type":"message","channelData":{"a":["\ud800"]}}"#,
            "channelData.a[0]",
        ),
        (r#"{"type":"message","x":{"\udc00":1}}"#, "x"),
        (r#"{"type":"mess\u0000age"}"#, "type"),
    ] {
        let error = refused(json);
        assert_eq!(
            (error.path.as_str(), error.kind),
            (path, DecodeErrorKind::ForbiddenCharacter),
            "{json}"
        );
    }
    let whole =
        Activity::from_slice(br#"{"type":"message","text":"\ud83d\ude00 \\u0000"}"#).expect("a whole pair");
    assert_eq!(whole.text.as_deref(), Some("\u{1f600} \\u0000"));
}

#[test]
fn messages_stay_short() {
    let long = format!(
        r#"{{"type":"message","historyDisclosed":"{}"}}"#,
        "é".repeat(100_000)
    );
    let error = refused(&long);
    assert_eq!(error.path, "historyDisclosed");
    assert!(error.message.chars().count() <= 203, "{}", error.message.len());
}
