//! The way of a bot's activity: from the connector routes into the history and to the live socket.

use std::sync::Arc;

use tidings_activity::{Activity, ActivityType, ChannelAccount, RoleType};

use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::history::{History, Place, timestamp};
use crate::identifier::{activity_number, passing_activity_id};
use crate::refusal::Refusal;

impl Channel {
    /// Takes an activity from the bot and answers its id. With a `delivery` id, only once.
    pub(crate) async fn send(
        self: &Arc<Self>,
        conversation_id: &str,
        mut activity: Activity,
        delivery: Option<String>,
    ) -> Result<String, Refusal> {
        let conversation = self.conversation(conversation_id).await?;
        self.dress(&conversation, &mut activity);
        let mut activity = self.without_key(activity)?;
        if !is_kept(&activity.kind) {
            let id = passing_activity_id(&conversation.id);
            activity.id = Some(id.clone());
            activity.timestamp = Some(timestamp(self.now_micros()));
            self.show_passing(&conversation, &activity);
            return Ok(id);
        }
        let channel = Arc::clone(self);
        self.run(async move {
            let place = channel.append(&conversation, activity, delivery).await?;
            Ok(place.id)
        })
        .await
    }

    /// Replaces an activity that the bot sent.
    pub(crate) async fn update(
        self: &Arc<Self>,
        conversation_id: &str,
        activity_id: &str,
        mut activity: Activity,
    ) -> Result<String, Refusal> {
        if activity
            .id
            .as_deref()
            .is_some_and(|id| !id.is_empty() && id != activity_id)
        {
            return Err(Refusal::bad_argument(
                "'id' differs from the activity id of the URL",
            ));
        }
        if !is_kept(&activity.kind) {
            return Err(Refusal::bad_argument(format!(
                "'type' is '{}', which cannot replace an activity",
                activity.kind
            )));
        }
        let conversation = self.conversation(conversation_id).await?;
        self.dress(&conversation, &mut activity);
        let activity = self.without_key(activity)?;
        self.change(conversation, activity_id, activity, false).await
    }

    /// Deletes an activity that the bot sent.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        conversation_id: &str,
        activity_id: &str,
    ) -> Result<(), Refusal> {
        let conversation = self.conversation(conversation_id).await?;
        let mut nothing = Activity::new(ActivityType::Message);
        self.dress(&conversation, &mut nothing);
        self.change(conversation, activity_id, nothing, true)
            .await
            .map(drop)
    }

    /// Appends what was said elsewhere, in order; the id of the last one, or none.
    pub(crate) async fn import(
        self: &Arc<Self>,
        conversation_id: &str,
        activities: Vec<Activity>,
    ) -> Result<String, Refusal> {
        let conversation = self.conversation(conversation_id).await?;
        let bot_id = self.bot_account.id.clone();
        let mut kept = Vec::with_capacity(activities.len());
        for mut activity in activities.into_iter().filter(|activity| is_kept(&activity.kind)) {
            let from_bot = activity.from.as_ref().is_none_or(|from| {
                from.id == bot_id || (from.role == Some(RoleType::Bot) && from.known_id().is_none())
            });
            if from_bot {
                self.dress(&conversation, &mut activity);
            } else {
                let from = activity.from.take().unwrap_or_default();
                Self::stamp(&conversation, &mut activity);
                activity.from = Some(ChannelAccount {
                    role: Some(RoleType::User),
                    ..from
                });
            }
            kept.push((self.without_key(activity)?, from_bot));
        }
        let channel = Arc::clone(self);
        self.run(async move {
            let limits = channel.limits().clone();
            let now = channel.now_micros();
            let number = conversation.number;
            let id = conversation.id.clone();
            let last = channel
                .db
                .write_repeatable(move |tx| {
                    let history = History::locked(tx, number, &id)?;
                    let mut last = None;
                    for (activity, from_bot) in &kept {
                        let mut activity = activity.clone();
                        last = Some(history.append(&mut activity, *from_bot, None, true, &limits, now)?);
                    }
                    Ok(last)
                })
                .await?;
            let Some(place) = last else {
                return Ok(String::new());
            };
            channel.live.committed(conversation.number, place.position);
            Ok(place.id)
        })
        .await
    }

    /// The number of an activity of this conversation, or 404.
    pub(crate) async fn existing(
        &self,
        conversation: &Conversation,
        activity_id: &str,
    ) -> Result<(i64, bool), Refusal> {
        let unknown = || Refusal::activity_not_found(activity_id);
        let number = activity_number(&conversation.id, activity_id).ok_or_else(unknown)?;
        let (row, id) = (conversation.number, conversation.id.clone());
        let from_bot = self
            .db
            .read(move |tx| History::new(tx, row, &id).is_from_bot(number))
            .await?;
        Ok((number, from_bot.ok_or_else(unknown)?))
    }

    async fn append(
        &self,
        conversation: &Conversation,
        mut activity: Activity,
        delivery: Option<String>,
    ) -> Result<Place, Refusal> {
        let limits = self.limits().clone();
        let now = self.now_micros();
        let (number, id) = (conversation.number, conversation.id.clone());
        let place = self
            .db
            .write_repeatable(move |tx| {
                let history = History::locked(tx, number, &id)?;
                if let Some(delivery) = &delivery
                    && let Some(place) = history.delivered(delivery)?
                {
                    return Ok(place);
                }
                history.append(&mut activity, true, delivery.as_deref(), false, &limits, now)
            })
            .await?;
        self.live.committed(conversation.number, place.position);
        Ok(place)
    }

    async fn change(
        self: &Arc<Self>,
        conversation: Conversation,
        activity_id: &str,
        mut activity: Activity,
        delete: bool,
    ) -> Result<String, Refusal> {
        let (number, from_bot) = self.existing(&conversation, activity_id).await?;
        if !from_bot {
            return Err(Refusal::forbidden(
                "The activity is a user's: a bot changes only its own",
            ));
        }
        let activity_id = activity_id.to_owned();
        let channel = Arc::clone(self);
        self.run(async move {
            let now = channel.now_micros();
            let (row, id) = (conversation.number, conversation.id.clone());
            let place = channel
                .db
                .write_repeatable(move |tx| {
                    let history = History::locked(tx, row, &id)?;
                    if delete {
                        history.delete(number, activity.clone(), now)
                    } else {
                        history.update(number, &mut activity, now)
                    }
                })
                .await?
                .ok_or_else(|| Refusal::activity_not_found(&activity_id))?;
            channel.live.committed(conversation.number, place.position);
            Ok(place.id)
        })
        .await
    }

    /// Makes an activity the bot's own.
    fn dress(&self, conversation: &Conversation, activity: &mut Activity) {
        let given = activity.from.take().unwrap_or_default();
        Self::stamp(conversation, activity);
        let name = given
            .name
            .clone()
            .filter(|name| !name.is_empty())
            .or_else(|| self.bot_account.name.clone());
        activity.from = Some(ChannelAccount {
            id: self.bot_account.id.clone(),
            name,
            role: Some(RoleType::Bot),
            ..given
        });
    }
}

/// `typing` is for now; the others a client never sees.
fn is_kept(kind: &ActivityType) -> bool {
    !matches!(
        kind,
        ActivityType::Typing
            | ActivityType::Trace
            | ActivityType::ConversationUpdate
            | ActivityType::InvokeResponse
            | ActivityType::Delay
    )
}
