//! What a new conversation is to be.

use serde_json::{Map, Value};
use tidings_activity::{
    Activity, ChannelAccount, ConversationParameters, ConversationReference, Raw, channel,
};

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::outbound::Outbound;

/// What a new conversation is to be, for
/// [`Adapter::create_conversation`](crate::Adapter::create_conversation).
///
/// ```
/// use tidings_activity::ChannelAccount;
/// use tidings_bot::CreateConversation;
///
/// let personal_chat = CreateConversation::new("msteams", "https://smba.trafficmanager.net/teams/")
///     .bot(ChannelAccount::new("28:app-id", "Bot"))
///     .member(ChannelAccount::new("29:user-id", "Ann"))
///     .tenant("tenant-id");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "nothing is created before Adapter::create_conversation"]
pub struct CreateConversation {
    channel_id: String,
    service_url: String,
    parameters: ConversationParameters,
    tenant: Option<String>,
    teams_channel: Option<String>,
    pub(super) identity: Identity,
}

impl CreateConversation {
    /// A conversation at the channel `channel_id`, whose connector is at `service_url`.
    pub fn new(channel_id: impl Into<String>, service_url: impl Into<String>) -> Self {
        Self {
            channel_id: channel_id.into(),
            service_url: service_url.into(),
            parameters: ConversationParameters::default(),
            tenant: None,
            teams_channel: None,
            identity: Identity::anonymous(),
        }
    }

    /// As whom the bot speaks there, as in a turn of an activity that this identity brought: it decides whom the
    /// tokens are for. Anonymous, that is for the channel, unless set.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// All parameters at once; what the other methods say goes on top.
    pub fn parameters(mut self, parameters: ConversationParameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// The bot's own account.
    pub fn bot(mut self, bot: ChannelAccount) -> Self {
        self.parameters.bot = Some(bot);
        self
    }

    /// Adds somebody to talk to.
    pub fn member(mut self, member: ChannelAccount) -> Self {
        self.parameters.members.get_or_insert_default().push(member);
        self
    }

    /// More than two take part.
    pub fn group(mut self) -> Self {
        self.parameters.is_group = Some(true);
        self
    }

    /// The topic to show.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.parameters.topic_name = Some(topic.into());
        self
    }

    /// The first message. Posting to a Teams channel needs one.
    pub fn activity(mut self, activity: Activity) -> Self {
        self.parameters.activity = Some(Box::new(activity));
        self
    }

    /// The tenant: sent as `tenantId` and, to Teams, also as `channelData.tenant.id`, because it wants both.
    pub fn tenant(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant = Some(tenant_id.into());
        self
    }

    /// A new thread in a Teams channel: a group, named by `channelData.channel.id`.
    pub fn teams_channel(mut self, channel_id: impl Into<String>) -> Self {
        self.teams_channel = Some(channel_id.into());
        self.group()
    }

    fn finish(&mut self) -> Result<()> {
        if self.channel_id.is_empty() || self.service_url.is_empty() {
            return Err(Error::msg(
                "channelId, serviceUrl: both are needed to create a conversation",
            ));
        }
        let mut channel_data = Vec::new();
        if let Some(tenant) = self.tenant.take().or_else(|| self.parameters.tenant_id.take()) {
            if self.channel_id == channel::MSTEAMS {
                channel_data.push(("tenant", tenant.clone()));
            }
            self.parameters.tenant_id = Some(tenant);
        }
        if let Some(teams_channel) = self.teams_channel.take() {
            channel_data.push(("channel", teams_channel));
        }
        if channel_data.is_empty() {
            return Ok(());
        }
        let mut data: Map<String, Value> = match &self.parameters.channel_data {
            Some(raw) => raw.parse().map_err(|error| {
                Error::new(error).context("channelData: must be an object to name a tenant or channel in it")
            })?,
            None => Map::new(),
        };
        for (name, id) in channel_data {
            match data.entry(name).or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(object) => object.insert("id".to_owned(), Value::String(id)),
                _ => return Err(Error::msg(format!("channelData.{name}: must be an object"))),
            };
        }
        self.parameters.channel_data = Some(Raw::new(&data)?);
        Ok(())
    }

    pub(super) async fn send(mut self, outbound: &dyn Outbound) -> Result<Created> {
        self.finish()?;
        let response = outbound
            .create_conversation(&self.service_url, &self.parameters)
            .await?;
        if response.id.is_empty() {
            return Err(Error::msg(
                "the channel created a conversation without telling its id",
            ));
        }
        Ok(Created {
            activity: Activity::create_continuation(
                &self.channel_id,
                &self.service_url,
                &self.parameters,
                &response,
            ),
            first_activity_id: response.activity_id.filter(|id| !id.is_empty()),
        })
    }
}

/// A conversation that the channel has opened.
pub(super) struct Created {
    /// What its first turn is about.
    pub(super) activity: Activity,
    pub(super) first_activity_id: Option<String>,
}

impl Created {
    pub(super) fn reference(&self) -> ConversationReference {
        self.activity.reference()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(mut create: CreateConversation) -> Value {
        create.finish().unwrap();
        serde_json::to_value(&create.parameters).unwrap()
    }

    #[test]
    fn teams_gets_the_tenant_twice_and_others_once() {
        let create = |channel| CreateConversation::new(channel, "https://example.test/").tenant("t1");
        assert_eq!(
            body(create("msteams")),
            json!({"tenantId": "t1", "channelData": {"tenant": {"id": "t1"}}})
        );
        assert_eq!(body(create("slack")), json!({"tenantId": "t1"}));
    }

    #[test]
    fn channel_data_of_ones_own_is_kept() {
        let parameters = ConversationParameters {
            channel_data: Some(Raw::new(&json!({"tenant": {"x": 1}, "y": 2})).unwrap()),
            tenant_id: Some("t1".to_owned()),
            ..ConversationParameters::default()
        };
        let create = CreateConversation::new("msteams", "https://example.test/").parameters(parameters);
        assert_eq!(
            body(create.teams_channel("19:c")),
            json!({
                "isGroup": true, "tenantId": "t1",
                "channelData": {"tenant": {"x": 1, "id": "t1"}, "y": 2, "channel": {"id": "19:c"}}
            })
        );
    }

    #[test]
    fn channel_data_that_is_no_object_is_refused() {
        for odd in [json!([1]), json!({"tenant": 7})] {
            let channel_data = Some(Raw::new(&odd).unwrap());
            let parameters = ConversationParameters {
                channel_data,
                ..ConversationParameters::default()
            };
            let mut create = CreateConversation::new("msteams", "u")
                .parameters(parameters)
                .tenant("t");
            assert!(
                create.finish().unwrap_err().to_string().contains("channelData"),
                "{odd}"
            );
        }
    }
}
