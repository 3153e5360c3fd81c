use std::time::Duration;

use serde_json::json;
use tidings_activity::{Activity, ActivityType, InvokeResponse, Raw};

#[test]
fn types_are_compared_as_the_sdks_do() {
    for (kind, matches) in [
        ("event", true),
        ("Event", true),
        ("event/jobs", true),
        ("EVENT/", true),
        ("events", false),
        ("even", false),
        ("message", false),
        ("", false),
        ("évent", false),
    ] {
        let activity = Activity::new(kind);
        assert_eq!(activity.has_type("event"), matches, "{kind}");
        assert_eq!(activity.as_event().is_some(), matches, "{kind}");
    }
}

#[test]
fn each_type_has_a_view_and_only_its_own() {
    type View = fn(&Activity) -> bool;
    let views: [(ActivityType, View); 16] = [
        (ActivityType::Message, |activity| activity.as_message().is_some()),
        (ActivityType::MessageUpdate, |activity| {
            activity.as_message_update().is_some()
        }),
        (ActivityType::MessageDelete, |activity| {
            activity.as_message_delete().is_some()
        }),
        (ActivityType::MessageReaction, |activity| {
            activity.as_message_reaction().is_some()
        }),
        (ActivityType::ConversationUpdate, |activity| {
            activity.as_conversation_update().is_some()
        }),
        (ActivityType::InstallationUpdate, |activity| {
            activity.as_installation_update().is_some()
        }),
        (ActivityType::ContactRelationUpdate, |activity| {
            activity.as_contact_relation_update().is_some()
        }),
        (ActivityType::Typing, |activity| activity.as_typing().is_some()),
        (ActivityType::Event, |activity| activity.as_event().is_some()),
        (ActivityType::Invoke, |activity| activity.as_invoke().is_some()),
        (ActivityType::EndOfConversation, |activity| {
            activity.as_end_of_conversation().is_some()
        }),
        (ActivityType::Trace, |activity| activity.as_trace().is_some()),
        (ActivityType::Handoff, |activity| activity.as_handoff().is_some()),
        (ActivityType::Command, |activity| activity.as_command().is_some()),
        (ActivityType::CommandResult, |activity| {
            activity.as_command_result().is_some()
        }),
        (ActivityType::Suggestion, |activity| {
            activity.as_suggestion().is_some()
        }),
    ];
    for (kind, _) in &views {
        let activity = Activity::new(kind.clone());
        let seen: Vec<_> = views
            .iter()
            .filter(|(_, view)| view(&activity))
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(seen, [kind]);
    }
}

#[test]
fn absent_text_is_empty_and_absent_lists_have_nothing() {
    let bare = Activity::new(ActivityType::Message);
    let message = bare.as_message().expect("a message");
    assert_eq!(
        (message.text(), message.attachments().len(), message.value()),
        ("", 0, None)
    );
    assert_eq!(message.locale, None, "the other fields are those of the activity");
}

#[test]
fn a_value_is_read_as_what_it_is() {
    let event = Activity::event("jobComplete").with_value(json!(12));
    let view = event.as_event().expect("an event");
    assert_eq!(view.name(), "jobComplete");
    assert_eq!(view.value_as::<u64>(), Some(12));
    assert_eq!(view.value_as::<String>(), None);
    assert_eq!(view.value().and_then(Raw::as_i64), Some(12));
    assert_eq!(view.value().and_then(Raw::as_str), None);
}

#[test]
fn delays_last_what_they_say_or_a_second() {
    let of = |value: serde_json::Value| Activity::new(ActivityType::Delay).with_value(value).as_delay();
    assert_eq!(
        Activity::delay(Duration::from_millis(250)).as_delay(),
        Some(Duration::from_millis(250))
    );
    assert_eq!(of(json!(250.0)), Some(Duration::from_millis(250)));
    assert_eq!(of(json!(0)), Some(Duration::ZERO));
    let second = Some(Duration::from_secs(1));
    assert_eq!(Activity::new(ActivityType::Delay).as_delay(), second);
    for strange in [json!("soon"), json!(-5), json!(1e300), json!(null), json!({})] {
        assert_eq!(of(strange), second);
    }
    assert_eq!(Activity::typing().as_delay(), None);
}

#[test]
fn invoke_responses_carry_status_and_body() {
    let activity = Activity::invoke_response(200, Some(json!({"ok": true}).into()));
    assert_eq!(
        activity.as_invoke_response(),
        Some(InvokeResponse::new(200, Some(json!({"ok": true}).into()))),
    );
    assert_eq!(
        Activity::invoke_response(501, None).as_invoke_response(),
        Some(InvokeResponse::new(501, None))
    );
    assert_eq!(
        Activity::new(ActivityType::InvokeResponse).as_invoke_response(),
        None
    );
    let strange = Activity::new(ActivityType::InvokeResponse).with_value(json!({"status": "fine"}));
    assert_eq!(strange.as_invoke_response(), None);
    assert_eq!(Activity::message("hello").as_invoke_response(), None);
}
