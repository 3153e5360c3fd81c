use serde_json::json;
use tidings_activity::{
    Activity, ActivityTreatment, ActivityType, ChannelAccount, ConversationParameters, ConversationReference,
    ConversationResourceResponse, Direction, channel,
};

fn inbound(kind: &str, channel_id: &str) -> Activity {
    let json = json!({
        "type": kind, "id": "7", "text": "hello", "channelId": channel_id, "serviceUrl": "https://example.com/s/",
        "locale": "pt-BR",
        "from": {"id": "ana", "name": "Ana", "x": 1},
        "recipient": {"id": "bot", "name": "Bot"},
        "conversation": {"id": "c", "tenantId": "t", "y": [2]},
    });
    serde_json::from_value(json).expect("an activity")
}

#[test]
fn a_reference_is_taken_from_the_receivers_side() {
    let reference = inbound("message", channel::MSTEAMS).reference();
    let expected = json!({
        "activityId": "7", "user": {"id": "ana", "name": "Ana", "x": 1}, "bot": {"id": "bot", "name": "Bot"},
        "conversation": {"id": "c", "tenantId": "t", "y": [2]}, "channelId": "msteams",
        "serviceUrl": "https://example.com/s/", "locale": "pt-BR",
    });
    assert_eq!(serde_json::to_value(&reference).expect("encodes"), expected);
    assert_eq!(reference.conversation_id(), Some("c"));
    assert_eq!(ConversationReference::default().conversation_id(), None);
}

#[test]
fn a_conversation_update_that_clients_never_see_is_not_replied_to() {
    for (kind, channel_id, expected) in [
        ("conversationUpdate", channel::DIRECTLINE, None),
        ("conversationUpdate", channel::WEBCHAT, None),
        ("conversationUpdate", channel::MSTEAMS, Some("7")),
        ("message", channel::WEBCHAT, Some("7")),
    ] {
        let activity = inbound(kind, channel_id);
        assert_eq!(
            activity.reference().activity_id.as_deref(),
            expected,
            "{kind} on {channel_id}"
        );
        assert_eq!(
            activity.reply("x").reply_to_id.as_deref(),
            expected,
            "{kind} on {channel_id}"
        );
    }
}

#[test]
fn outgoing_the_bot_speaks_to_the_user() {
    let reference = inbound("message", channel::MSTEAMS).reference();
    let mut activity = Activity::message("news");
    activity.apply_reference(&reference, Direction::Outgoing);
    let expected = json!({
        "type": "message", "text": "news", "channelId": "msteams", "serviceUrl": "https://example.com/s/",
        "locale": "pt-BR", "replyToId": "7", "from": {"id": "bot", "name": "Bot"},
        "recipient": {"id": "ana", "name": "Ana", "x": 1}, "conversation": {"id": "c", "tenantId": "t", "y": [2]},
    });
    assert_eq!(serde_json::to_value(&activity).expect("encodes"), expected);
}

#[test]
fn incoming_the_user_speaks_to_the_bot() {
    let reference = inbound("message", channel::MSTEAMS).reference();
    let mut activity = Activity::message("hello").with_locale("de");
    activity.apply_reference(&reference, Direction::Incoming);
    assert_eq!(activity.from, reference.user);
    assert_eq!(activity.recipient, reference.bot);
    assert_eq!(activity.id.as_deref(), Some("7"));
    assert_eq!(activity.reply_to_id, None);
    assert_eq!(activity.locale.as_deref(), Some("de"), "its own locale stays");
}

#[test]
fn without_an_activity_id_neither_id_nor_reply_is_touched() {
    let reference = ConversationReference {
        activity_id: None,
        ..inbound("message", "test").reference()
    };
    let mut activity = Activity::message("a").with_id("1").with_reply_to_id("2");
    activity.apply_reference(&reference, Direction::Outgoing);
    activity.apply_reference(&reference, Direction::Incoming);
    assert_eq!(
        (activity.id.as_deref(), activity.reply_to_id.as_deref()),
        (Some("1"), Some("2"))
    );
}

#[test]
fn a_targeted_activity_keeps_its_recipient() {
    let reference = inbound("message", channel::MSTEAMS).reference();
    let rui = ChannelAccount::new("rui", "Rui");
    let mut targeted = Activity::message("psst")
        .with_entity(ActivityTreatment::targeted())
        .with_recipient(rui.clone());
    targeted.apply_reference(&reference, Direction::Outgoing);
    assert_eq!(targeted.recipient, Some(rui.clone()));

    let mut plain = Activity::message("hello").with_recipient(rui);
    plain.apply_reference(&reference, Direction::Outgoing);
    assert_eq!(plain.recipient, reference.user);
}

#[test]
fn a_continuation_comes_from_the_user_with_a_fresh_id() {
    let reference = inbound("message", channel::MSTEAMS).reference();
    let activity = reference.continuation();
    assert_eq!(activity.kind, ActivityType::Event);
    assert_eq!(activity.name.as_deref(), Some("ContinueConversation"));
    assert_eq!(
        (&activity.from, &activity.recipient),
        (&reference.user, &reference.bot)
    );
    assert_eq!(activity.conversation, reference.conversation);
    assert_eq!(activity.channel_id, reference.channel_id);
    assert_eq!(activity.service_url, reference.service_url);
    assert_eq!(activity.locale, reference.locale);
    assert_eq!(activity.relates_to.as_deref(), Some(&reference));
    let id = activity.id.expect("an id");
    assert_eq!(id.len(), 36);
    assert_ne!(Some(id), reference.continuation().id);
}

#[test]
fn a_reply_swaps_sender_and_recipient() {
    let activity = inbound("message", channel::MSTEAMS);
    let reply = activity.reply("hi");
    assert_eq!(reply.kind, ActivityType::Message);
    assert_eq!(
        (&reply.from, &reply.recipient),
        (&activity.recipient, &activity.from)
    );
    assert_eq!(reply.conversation, activity.conversation);
    assert_eq!(reply.reply_to_id.as_deref(), Some("7"));
    assert_eq!((reply.id, reply.text.as_deref()), (None, Some("hi")));
}

#[test]
fn a_created_conversation_starts_with_an_event() {
    let parameters = ConversationParameters {
        is_group: Some(false),
        bot: Some(ChannelAccount::new("bot", "Bot")),
        members: Some(vec![ChannelAccount::new("ana", "Ana")]),
        tenant_id: Some("t".to_owned()),
        channel_data: Some(json!({"tenant": {"id": "t"}}).into()),
        ..ConversationParameters::default()
    };
    let answer = |json| serde_json::from_value::<ConversationResourceResponse>(json).expect("an answer");
    let full = answer(json!({"id": "c2", "activityId": "1", "serviceUrl": "https://example.com/moved/"}));
    let activity = Activity::create_continuation("msteams", "https://example.com/", &parameters, &full);
    let expected = json!({
        "type": "event", "id": "1", "name": "CreateConversation", "channelId": "msteams",
        "serviceUrl": "https://example.com/moved/", "from": {"id": "ana", "name": "Ana"},
        "recipient": {"id": "bot", "name": "Bot"}, "conversation": {"id": "c2", "isGroup": false, "tenantId": "t"},
        "channelData": {"tenant": {"id": "t"}},
    });
    assert_eq!(serde_json::to_value(&activity).expect("encodes"), expected);

    let group = ConversationParameters {
        members: Some(Vec::new()),
        ..parameters
    };
    let bare = answer(json!({"id": "c2"}));
    let activity = Activity::create_continuation("msteams", "https://example.com/", &group, &bare);
    assert_eq!(activity.from, None);
    assert_eq!(activity.service_url.as_deref(), Some("https://example.com/"));
    assert_eq!(activity.id.map(|id| id.len()), Some(36), "a fresh one");
}
