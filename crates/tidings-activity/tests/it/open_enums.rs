use tidings_activity::{
    Activity, ActivityType, AttachmentLayout, CardActionType, ConversationType, DeliveryMode,
    EndOfConversationCode, Importance, InputHint, ReactionType, RoleType, SemanticActionState, StreamType,
    TextFormat, Treatment, UpdateAction,
};

macro_rules! assert_open {
    ($Name:ident: $($wire:literal),* $(,)?) => {
        for wire in [$($wire),*] {
            let value = $Name::from(wire);
            assert_eq!(value.as_str(), wire);
            assert!(!matches!(value, $Name::Unlisted(_)), "{wire} has a name");
            assert_eq!(serde_json::to_string(&value).expect("encodes"), format!("\"{wire}\""));
        }
        for unknown in ["", "Of Tomorrow", "\u{1f600}"] {
            let value: $Name = serde_json::from_value(unknown.into()).expect("any string will do");
            assert_eq!(value.as_str(), unknown);
            assert_eq!(value, *unknown);
            assert!(matches!(value, $Name::Unlisted(_)));
            assert_eq!(value.to_string(), unknown);
        }
        assert!(serde_json::from_str::<$Name>("5").is_err());
    };
}

#[test]
fn all_names_of_the_protocol_are_known_and_all_others_kept() {
    assert_open!(ActivityType:
        "message", "messageUpdate", "messageDelete", "messageReaction", "conversationUpdate", "installationUpdate",
        "contactRelationUpdate", "typing", "event", "invoke", "endOfConversation", "trace", "handoff", "command",
        "commandResult", "suggestion", "deleteUserData", "invokeResponse", "delay");
    assert_open!(DeliveryMode: "normal", "notification", "expectReplies", "ephemeral", "stream");
    assert_open!(InputHint: "acceptingInput", "ignoringInput", "expectingInput");
    assert_open!(TextFormat: "markdown", "plain", "xml");
    assert_open!(AttachmentLayout: "list", "carousel");
    assert_open!(Importance: "low", "normal", "high");
    assert_open!(RoleType:
        "user", "bot", "skill", "agent", "connectoruser", "agenticAppInstance", "agenticUser");
    assert_open!(EndOfConversationCode:
        "unknown", "completedSuccessfully", "userCancelled", "botTimedOut", "botIssuedInvalidMessage", "channelFailed",
        "timedOut", "agentIssuedInvalidMessage", "error");
    assert_open!(CardActionType:
        "openUrl", "imBack", "postBack", "messageBack", "call", "signin", "playAudio", "playVideo", "showImage",
        "downloadFile", "openApp", "payment");
    assert_open!(ConversationType: "personal", "groupChat", "channel");
    assert_open!(UpdateAction: "add", "remove", "add-upgrade", "remove-upgrade");
    assert_open!(ReactionType: "like", "plusOne");
    assert_open!(SemanticActionState: "start", "continue", "done");
    assert_open!(StreamType: "informative", "streaming", "final");
    assert_open!(Treatment: "targeted");
}

#[test]
fn comparison_is_ordinal() {
    let activity = Activity::from_slice(br#"{"type":"Message"}"#).expect("an activity");
    assert_ne!(activity.kind, ActivityType::Message);
    assert_eq!(activity.kind, "Message");
}
