//! What the user wrote to the bot.

use std::borrow::Cow;

use tidings_activity::{Activity, Mention};

/// The activity's text without the mention of the bot itself: in group chats a user must write `@Bot run` for
/// the bot to be told at all. Empty if there is no text.
pub(crate) fn of(activity: &Activity) -> Cow<'_, str> {
    let text = activity.text.as_deref().unwrap_or_default();
    let bot = activity.recipient.as_ref().and_then(|bot| bot.id.as_deref());
    let (Some(bot), false) = (bot, activity.entities.as_deref().unwrap_or_default().is_empty()) else {
        return Cow::Borrowed(text);
    };
    let names_the_bot = |mention: &Mention| {
        mention
            .mentioned
            .as_ref()
            .is_some_and(|who| who.id.as_deref() == Some(bot))
    };
    if !activity.mentions().iter().any(names_the_bot) {
        return Cow::Borrowed(text);
    }
    let mut spoken = Activity {
        entities: activity.entities.clone(),
        ..Activity::message(text)
    };
    spoken.remove_mention(bot);
    Cow::Owned(spoken.text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(json: &serde_json::Value) -> Activity {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn the_mention_of_the_bot_is_left_out_and_others_stay() {
        let activity = activity(&serde_json::json!({
            "type": "message", "text": "<at>Bot</at> tell <at>Ann</at>",
            "recipient": {"id": "28:bot"},
            "entities": [
                {"type": "mention", "mentioned": {"id": "29:ann"}, "text": "<at>Ann</at>"},
                {"type": "Mention", "mentioned": {"id": "28:bot"}, "text": "<at>Bot</at>"},
                {"type": "clientInfo", "locale": "en-US"}
            ]
        }));
        assert_eq!(of(&activity).trim(), "tell <at>Ann</at>");
    }

    #[test]
    fn without_text_or_entities_there_is_nothing_to_do() {
        assert_eq!(of(&activity(&serde_json::json!({"type": "message"}))), "");
        assert_eq!(
            of(&activity(
                &serde_json::json!({"type": "message", "text": " run ", "entities": []})
            )),
            " run "
        );
    }
}
