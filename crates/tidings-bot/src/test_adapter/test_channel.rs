//! A channel in memory.

use std::collections::VecDeque;
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
    said: Vec<Said>,
    /// What the next requests are answered with: a refusal, or nothing special.
    scripted: VecDeque<Option<u16>>,
    created: Vec<ConversationParameters>,
    next_id: u64,
}

#[derive(Debug)]
struct Said {
    activity: Activity,
    heard: bool,
}

impl TestChannel {
    /// Everything in all conversations as it is now: updated activities in their new form, deleted ones left
    /// out.
    pub fn activities(&self) -> Vec<Activity> {
        self.kept()
            .said
            .iter()
            .map(|said| said.activity.clone())
            .collect()
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

    /// What nobody has heard yet in a conversation and `wanted` picks; it is heard from now on.
    pub(super) fn hear(&self, conversation_id: &str, wanted: impl Fn(&Activity) -> bool) -> Vec<Activity> {
        let mut kept = self.kept();
        let picked = kept
            .unheard(conversation_id)
            .filter(|said| wanted(&said.activity));
        picked.map(Said::hear).collect()
    }

    pub(super) async fn next(&self, conversation_id: &str) -> Activity {
        loop {
            let mut arrived = std::pin::pin!(self.arrived.notified());
            arrived.as_mut().enable();
            if let Some(next) = self.kept().unheard(conversation_id).next() {
                return next.hear();
            }
            arrived.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn hear(&mut self) -> Activity {
        self.heard = true;
        self.activity.clone()
    }
}

impl Kept {
    fn unheard(&mut self, conversation_id: &str) -> impl Iterator<Item = &mut Said> {
        self.said
            .iter_mut()
            .filter(move |said| !said.heard && said.activity.conversation_id() == Some(conversation_id))
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
        let found = self.said.iter().position(|Said { activity, .. }| {
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
        let activity = Activity {
            id: Some(id.clone()),
            ..activity.clone()
        };
        kept.said.push(Said {
            activity,
            heard: false,
        });
        drop(kept);
        self.arrived.notify_waiters();
        Ok(ResourceResponse::new(id))
    }

    async fn update(&self, activity: &Activity) -> Result<ResourceResponse> {
        let mut kept = self.kept();
        kept.admit()?;
        let at = kept.find(activity.conversation_id(), activity.id.as_deref())?;
        kept.said[at].activity = activity.clone();
        Ok(ResourceResponse::new(activity.id.clone().unwrap_or_default()))
    }

    async fn delete(&self, reference: &ConversationReference) -> Result<()> {
        let mut kept = self.kept();
        kept.admit()?;
        let at = kept.find(reference.conversation_id(), reference.activity_id.as_deref())?;
        kept.said.remove(at);
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
