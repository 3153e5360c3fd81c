//! A channel in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidings_activity::{
    Activity, ConversationParameters, ConversationReference, ConversationResourceResponse, ResourceResponse,
};
use tidings_connector::{Phase, SendError};
use tokio::sync::Notify;

use crate::error::Result;
use crate::outbound::Outbound;

/// A channel in memory: it keeps everything the bot sends, and refuses when told to.
#[derive(Debug, Default)]
pub struct TestChannel {
    kept: Mutex<Kept>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    activities: Vec<Activity>,
    /// For each conversation how many of its activities have been heard.
    heard: HashMap<String, usize>,
    /// What the next requests are answered with: a refusal, or nothing special.
    scripted: VecDeque<Option<u16>>,
    created: Vec<ConversationParameters>,
    next_id: u64,
}

impl TestChannel {
    /// Everything in all conversations as it is now: updated activities in their new form, deleted ones left out.
    pub fn activities(&self) -> Vec<Activity> {
        self.kept().activities.clone()
    }

    /// The conversations that the bot opened.
    pub fn created(&self) -> Vec<ConversationParameters> {
        self.kept().created.clone()
    }

    /// The next request is refused with this HTTP status; called again, the one after it too.
    pub fn refuse_next(&self, status: u16) {
        self.refuse_after(0, status);
    }

    /// Lets `count` more requests through, and refuses the one after them with this HTTP status.
    pub fn refuse_after(&self, count: usize, status: u16) {
        let mut kept = self.kept();
        kept.scripted.extend(std::iter::repeat_n(None, count));
        kept.scripted.push_back(Some(status));
    }

    pub(super) fn take_unheard(&self, conversation_id: &str) -> Vec<Activity> {
        let mut kept = self.kept();
        let unheard = kept.unheard(conversation_id);
        kept.hear(conversation_id, unheard.len());
        unheard
    }

    pub(super) async fn next(&self, conversation_id: &str) -> Activity {
        loop {
            let mut arrived = std::pin::pin!(self.arrived.notified());
            arrived.as_mut().enable();
            {
                let mut kept = self.kept();
                if let Some(next) = kept.unheard(conversation_id).into_iter().next() {
                    kept.hear(conversation_id, 1);
                    return next;
                }
            }
            arrived.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn unheard(&self, conversation_id: &str) -> Vec<Activity> {
        let heard = self.heard.get(conversation_id).copied().unwrap_or_default();
        let here = self
            .activities
            .iter()
            .filter(|activity| activity.conversation_id() == Some(conversation_id));
        here.skip(heard).cloned().collect()
    }

    fn hear(&mut self, conversation_id: &str, count: usize) {
        *self.heard.entry(conversation_id.to_owned()).or_default() += count;
    }

    fn admit(&mut self) -> Result<u64> {
        if let Some(status) = self.scripted.pop_front().flatten() {
            return Err(SendError::new(Phase::AfterBody, "refused by the test")
                .with_status(status, None)
                .into());
        }
        self.next_id += 1;
        Ok(self.next_id)
    }

    fn find(&self, conversation_id: Option<&str>, id: Option<&str>) -> Result<usize> {
        let found = self.activities.iter().position(|activity| {
            id.is_some() && activity.id.as_deref() == id && activity.conversation_id() == conversation_id
        });
        found.ok_or_else(|| {
            SendError::new(Phase::AfterBody, "no such activity")
                .with_status(404, Some("ActivityNotFoundInConversation".to_owned()))
                .into()
        })
    }
}

#[async_trait]
impl Outbound for TestChannel {
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        let mut kept = self.kept();
        let id = format!("out-{}", kept.admit()?);
        kept.activities.push(Activity {
            id: Some(id.clone()),
            ..activity.clone()
        });
        drop(kept);
        self.arrived.notify_waiters();
        Ok(ResourceResponse::new(id))
    }

    async fn update(&self, activity: &Activity) -> Result<ResourceResponse> {
        let mut kept = self.kept();
        kept.admit()?;
        let at = kept.find(activity.conversation_id(), activity.id.as_deref())?;
        kept.activities[at] = activity.clone();
        Ok(ResourceResponse::new(activity.id.clone().unwrap_or_default()))
    }

    async fn delete(&self, reference: &ConversationReference) -> Result<()> {
        let mut kept = self.kept();
        kept.admit()?;
        let at = kept.find(reference.conversation_id(), reference.activity_id.as_deref())?;
        let before = kept.activities[..at]
            .iter()
            .filter(|a| a.conversation_id() == reference.conversation_id())
            .count();
        kept.activities.remove(at);
        if let Some(heard) = reference.conversation_id().and_then(|id| kept.heard.get_mut(id))
            && *heard > before
        {
            *heard -= 1;
        }
        Ok(())
    }

    async fn create_conversation(
        &self,
        _service_url: &str,
        parameters: &ConversationParameters,
    ) -> Result<ConversationResourceResponse> {
        let mut kept = self.kept();
        let id = kept.admit()?;
        kept.created.push(parameters.clone());
        let activity_id = parameters.activity.as_ref().map(|_| format!("first-{id}"));
        Ok(ConversationResourceResponse {
            id: format!("created-{id}"),
            activity_id,
            ..Default::default()
        })
    }
}
