//! The way of a user's activity: validated, committed, echoed, delivered to the bot, answered.

use std::sync::Arc;

use tidings_activity::{Activity, ActivityType, ChannelAccount, RoleType, channel};
use tidings_store::{StoreError, Tx};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use crate::attachment::{self, Upload};
use crate::bot_endpoint::{BotEndpoint, BotReply};
use crate::caller::Caller;
use crate::channel::Channel;
use crate::conversation::Conversation;
use crate::history::{History, Place, micros, timestamp};
use crate::identifier::passing_activity_id;
use crate::live::Passing;
use crate::member::{self, NAME_CHARACTERS};
use crate::order::Turn;
use crate::refusal::Refusal;

/// What the writer made of an activity.
struct Taken {
    activity: Activity,
    /// `None` for what no history keeps.
    place: Option<Place>,
    joined: Vec<ChannelAccount>,
}

/// What there is no room for.
enum Full {
    Members,
    Files,
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::Members => Self::forbidden("The conversation has as many members as it can have"),
            Full::Files => Self::busy(
                "The channel keeps as many files as it can: wait until some expire",
                3_600,
            ),
        }
    }
}

impl Channel {
    /// Takes an activity from a user and answers its id, after the bot took it.
    pub(crate) async fn post(
        self: &Arc<Self>,
        caller: &Caller,
        conversation: Conversation,
        mut activity: Activity,
        uploads: Vec<Upload>,
    ) -> Result<String, Refusal> {
        check_kind(&activity.kind)?;
        let from = self.speaker(caller, &conversation, activity.from.take())?;
        Self::stamp(&conversation, &mut activity);
        activity.from = Some(from);
        if activity.locale.is_none() {
            activity.locale.clone_from(&conversation.locale);
        }
        let place = self.admit()?;
        let channel = Arc::clone(self);
        self.run(async move { channel.accept(conversation, activity, uploads, place).await })
            .await
    }

    /// Starts a conversation, or finds it started (false), and tells the bot who is there if the user is
    /// known.
    pub(crate) async fn start(
        self: &Arc<Self>,
        id: String,
        user: Option<ChannelAccount>,
        locale: Option<String>,
    ) -> Result<(Conversation, bool), Refusal> {
        let place = self.admit()?;
        let channel = Arc::clone(self);
        self.run(async move {
            let turn = channel.order.enter(&id).await;
            let now = channel.now_micros();
            let bot = channel.bot_account.clone();
            let (conversation, new, joined) = channel
                .db
                .write_repeatable(move |tx| {
                    let (conversation, new) =
                        Conversation::start(tx, &id, user.as_ref(), locale.as_deref(), now)?;
                    let joined = match &conversation.user {
                        Some(user) => join(tx, &conversation, &bot, user)?,
                        None => Vec::new(),
                    };
                    Ok((conversation, new, joined))
                })
                .await?;
            if !joined.is_empty()
                && let Some(bot) = channel.bot()
            {
                channel.deliver(
                    bot,
                    channel.members_changed(&conversation, joined, Vec::new()),
                    Some(turn),
                    Some(place),
                );
            }
            channel.sweep_aside().await;
            Ok((conversation, new))
        })
        .await
    }

    /// A `conversationUpdate` for the bot.
    pub(crate) fn members_changed(
        &self,
        conversation: &Conversation,
        added: Vec<ChannelAccount>,
        removed: Vec<ChannelAccount>,
    ) -> Activity {
        let user = added
            .iter()
            .chain(&removed)
            .find(|account| account.id != self.bot_account.id);
        let mut update = Activity::new(ActivityType::ConversationUpdate);
        update.id = Some(uuid::Uuid::new_v4().to_string());
        update.timestamp = Some(timestamp(self.now_micros()));
        update.channel_id = Some(channel::DIRECTLINE.to_owned());
        update.conversation = Some(conversation.account());
        update.from = user.cloned().or_else(|| conversation.user.clone());
        update.locale.clone_from(&conversation.locale);
        update.members_added = Some(added).filter(|accounts| !accounts.is_empty());
        update.members_removed = Some(removed).filter(|accounts| !accounts.is_empty());
        self.addressed_to_bot(update)
    }

    /// Hands an activity to the bot on a task of its own. `turn` ends once the delivery has begun, `place`
    /// once it has ended.
    pub(crate) fn deliver(
        &self,
        bot: Arc<dyn BotEndpoint>,
        activity: Activity,
        turn: Option<Turn>,
        place: Option<OwnedSemaphorePermit>,
    ) -> JoinHandle<BotReply> {
        let handing_over = async move {
            let _held_to_the_end = place;
            let mut delivery = bot.deliver(activity);
            let begun = futures_util::poll!(&mut delivery);
            drop(turn);
            match begun {
                std::task::Poll::Ready(reply) => reply,
                std::task::Poll::Pending => delivery.await,
            }
        };
        self.tasks
            .spawn(tracing::Instrument::in_current_span(handing_over))
    }

    async fn accept(
        self: Arc<Self>,
        conversation: Conversation,
        activity: Activity,
        uploads: Vec<Upload>,
        in_hand: OwnedSemaphorePermit,
    ) -> Result<String, Refusal> {
        let turn = self.order.enter(&conversation.id).await;
        let Taken {
            activity,
            place,
            joined,
        } = self.write(&conversation, activity, uploads).await??;
        let id = activity.id.clone().unwrap_or_default();
        match place {
            Some(place) => self.live.committed(conversation.number, place.position),
            None => self.show_passing(&conversation, &activity),
        }
        let Some(bot) = self.bot() else {
            return Err(Refusal::bot_error("No bot is connected"));
        };
        if !joined.is_empty() {
            let greeting = self.deliver(
                Arc::clone(&bot),
                self.members_changed(&conversation, joined, Vec::new()),
                None,
                None,
            );
            if tokio::time::timeout(self.limits().bot_timeout, greeting)
                .await
                .is_err()
            {
                tracing::warn!(conversation.id = %conversation.id, "the bot is slow to take a conversationUpdate");
            }
        }
        let delivery = self.deliver(bot, self.addressed_to_bot(activity), Some(turn), Some(in_hand));
        match tokio::time::timeout(self.limits().bot_timeout, delivery).await {
            Ok(Ok(reply)) if reply.is_success() => Ok(id),
            Ok(Ok(reply)) if (400..500).contains(&reply.status) => Err(Refusal::bot_rejected(format!(
                "The bot refused the activity with status {}",
                reply.status
            ))),
            Ok(Ok(reply)) => Err(Refusal::bot_error(format!(
                "The bot failed with status {}",
                reply.status
            ))),
            Ok(Err(_panicked)) => Err(Refusal::bot_error("The bot failed")),
            Err(_elapsed) => Err(Refusal::bot_error("The bot did not answer in time")),
        }
    }

    async fn write(
        &self,
        conversation: &Conversation,
        mut activity: Activity,
        uploads: Vec<Upload>,
    ) -> Result<Result<Taken, Full>, StoreError> {
        let conversation = conversation.clone();
        let bot = self.bot_account.clone();
        let limits = self.limits().clone();
        let now = self.now_micros();
        let keep = is_kept(&activity.kind);
        if !keep {
            activity.id = Some(passing_activity_id(&conversation.id));
            activity.timestamp = Some(timestamp(now));
        }
        self.db
            .write_repeatable(move |tx| {
                let mut activity = activity.clone();
                let history = History::locked(tx, conversation.number, &conversation.id)?;
                let from = activity.from.clone().unwrap_or_default();
                let known =
                    member::is_member(tx, conversation.number, from.id.as_deref().unwrap_or_default())?;
                if !known && member::count(tx, conversation.number)? >= limits.members {
                    return Ok(Err(Full::Members));
                }
                let until = now.saturating_add(micros(limits.attachment_life));
                let most = limits.attachment_bytes;
                if !uploads.is_empty()
                    && !attachment::keep(tx, conversation.number, &uploads, now, until, most)?
                {
                    return Ok(Err(Full::Files));
                }
                let joined = join(tx, &conversation, &bot, &from)?;
                let place = if keep {
                    Some(history.append(&mut activity, false, None, false, &limits, now)?)
                } else {
                    None
                };
                Ok(Ok(Taken {
                    activity,
                    place,
                    joined,
                }))
            })
            .await
    }

    /// Shows `typing` to the socket that is open now; other activities that are not kept are shown to nobody.
    pub(crate) fn show_passing(&self, conversation: &Conversation, activity: &Activity) {
        if activity.kind == ActivityType::Typing
            && let Ok(body) = serde_json::to_string(activity)
        {
            self.live.pass(
                conversation.number,
                Passing {
                    position: conversation.last_position,
                    body,
                },
            );
        }
    }

    /// Who speaks: the user of the token, whatever the client says; else the one the client names; else the
    /// conversation's.
    fn speaker(
        &self,
        caller: &Caller,
        conversation: &Conversation,
        claimed: Option<ChannelAccount>,
    ) -> Result<ChannelAccount, Refusal> {
        let claimed = claimed.unwrap_or_default();
        let named = match caller.user() {
            Some(user) => user.id,
            None => match claimed.known_id() {
                Some(id) if !caller.may_claim(id) => {
                    return Err(Refusal::bad_argument(
                        "'from.id' starts with 'dl_': such an id must be in the token",
                    ));
                }
                Some(id) => Some(id.to_owned()),
                None => conversation.user.as_ref().and_then(|user| user.id.clone()),
            },
        };
        let id = named.ok_or_else(|| Refusal::missing("from.id"))?;
        if Some(&id) == self.bot_account.id.as_ref() {
            return Err(Refusal::bad_argument("'from.id' is the id of the bot"));
        }
        let own_name = || {
            conversation
                .user
                .as_ref()
                .filter(|user| user.id.as_ref() == Some(&id))?
                .name
                .clone()
        };
        let name = claimed
            .name
            .clone()
            .filter(|name| !name.is_empty())
            .or_else(own_name);
        for (field, text) in [("from.id", Some(&id)), ("from.name", name.as_ref())] {
            // JSON with it is refused before; a query may still name such a user.
            if text.is_some_and(|text| text.contains('\0')) {
                return Err(Refusal::bad_argument(format!(
                    "'{field}' holds the NUL character"
                )));
            }
            if text.is_some_and(|text| text.chars().count() > NAME_CHARACTERS) {
                return Err(Refusal::bad_argument(format!(
                    "'{field}' is longer than {NAME_CHARACTERS} characters"
                )));
            }
        }
        Ok(ChannelAccount {
            id: Some(id),
            name,
            role: Some(RoleType::User),
            ..claimed
        })
    }
}

/// Adds the bot and the user unless they are members; who is new.
fn join(
    tx: &Tx<'_>,
    conversation: &Conversation,
    bot: &ChannelAccount,
    user: &ChannelAccount,
) -> Result<Vec<ChannelAccount>, StoreError> {
    let role = Some(RoleType::User);
    let user = ChannelAccount {
        id: user.id.clone(),
        name: user.name.clone(),
        role,
        ..ChannelAccount::default()
    };
    let mut joined = Vec::new();
    for account in [bot, &user] {
        if member::join(tx, conversation.number, account)? {
            joined.push(account.clone());
        }
    }
    Ok(joined)
}

/// What the channel says itself, and what never leaves a bot, is not for clients to send.
fn check_kind(kind: &ActivityType) -> Result<(), Refusal> {
    match kind {
        ActivityType::ConversationUpdate
        | ActivityType::InstallationUpdate
        | ActivityType::ContactRelationUpdate
        | ActivityType::Trace
        | ActivityType::InvokeResponse
        | ActivityType::Delay => Err(Refusal::bad_argument(format!(
            "'type' is '{kind}', which a client cannot send on this channel"
        ))),
        _ => Ok(()),
    }
}

fn is_kept(kind: &ActivityType) -> bool {
    !matches!(kind, ActivityType::Typing | ActivityType::Invoke)
}
