//! What every inbound activity must have.

use tidings_activity::Activity;

use crate::conversation_key::ConversationKey;
use crate::process_error::ProcessError;

/// Checks the fields that every turn needs, and names the conversation.
pub(super) fn validate(activity: &Activity) -> Result<ConversationKey, ProcessError> {
    present(Some(activity.kind.as_str()), "type")?;
    let channel_id = present(activity.channel_id.as_deref(), "channelId")?;
    let conversation = activity.conversation.as_ref();
    let conversation_id = present(
        conversation.and_then(|conversation| conversation.id.as_deref()),
        "conversation.id",
    )?;
    present(
        activity.from.as_ref().and_then(|from| from.id.as_deref()),
        "from.id",
    )?;
    present(activity.service_url.as_deref(), "serviceUrl")?;
    Ok(ConversationKey::new(channel_id, conversation_id))
}

fn present<'a>(value: Option<&'a str>, field: &'static str) -> Result<&'a str, ProcessError> {
    match value {
        Some("") => Err(ProcessError::BadActivity {
            field,
            problem: "must not be empty",
        }),
        Some(value) => Ok(value),
        None => Err(ProcessError::BadActivity {
            field,
            problem: "is missing",
        }),
    }
}

#[cfg(test)]
mod tests {
    use tidings_activity::{ChannelAccount, ConversationAccount};

    use super::*;

    fn whole() -> Activity {
        Activity::message("hi")
            .with_channel_id("test")
            .with_service_url("http://127.0.0.1/")
            .with_conversation(ConversationAccount::new("c"))
            .with_from(ChannelAccount {
                id: Some("u".to_owned()),
                ..ChannelAccount::default()
            })
    }

    #[test]
    fn a_whole_activity_names_its_conversation() {
        assert_eq!(validate(&whole()).unwrap(), ConversationKey::new("test", "c"));
    }

    #[test]
    fn each_missing_or_empty_field_is_named() {
        type Change = fn(&mut Activity, Option<String>);
        let fields: [(&str, Change); 4] = [
            ("channelId", |activity, value| activity.channel_id = value),
            ("serviceUrl", |activity, value| activity.service_url = value),
            ("conversation.id", |activity, value| {
                activity.conversation.as_mut().unwrap().id = value;
            }),
            ("from.id", |activity, value| {
                activity.from.as_mut().unwrap().id = value;
            }),
        ];
        for (field, change) in fields {
            for value in [None, Some(String::new())] {
                let mut activity = whole();
                change(&mut activity, value);
                let error = validate(&activity).unwrap_err();
                assert_eq!((error.status(), error.field()), (400, Some(field)));
                assert!(error.to_string().starts_with(field), "{error}");
            }
        }
        let mut activity = whole();
        activity.kind = "".into();
        assert_eq!(validate(&activity).unwrap_err().field(), Some("type"));
        for (field, change) in [
            (
                "conversation.id",
                (|activity| activity.conversation = None) as fn(&mut Activity),
            ),
            ("from.id", |activity| activity.from = None),
        ] {
            let mut activity = whole();
            change(&mut activity);
            assert_eq!(validate(&activity).unwrap_err().field(), Some(field));
        }
    }
}
