//! What a turn sends, updates and deletes.

use tidings_activity::{
    Activity, ActivityType, ConversationReference, Direction, InputHint, InvokeResponse, Raw,
    ResourceResponse,
};

use super::TurnContext;
use crate::error::{Error, Result};
use crate::hook::{NextDelete, NextSend, NextUpdate};

impl TurnContext {
    /// Says `text` in the conversation, at once.
    ///
    /// # Errors
    /// A [`SendError`](tidings_connector::SendError) when the channel did not take it.
    pub async fn say(&mut self, text: impl Into<String>) -> Result<()> {
        let text = Some(text.into());
        let input_hint = Some(InputHint::AcceptingInput);
        self.send_all(vec![Activity {
            text,
            input_hint,
            ..Activity::default()
        }])
        .await
        .map(drop)
    }

    /// Sends `activity` into the conversation, at once, and gives the id under which the channel knows it.
    ///
    /// It is addressed to the conversation of the turn: its own `id` is dropped, an empty type becomes
    /// `message`. With a `replyToId`, which a turn about an inbound activity gives it, it goes by the
    /// channel's reply route, else by its send route. Some types mean something else: `delay` waits,
    /// `invokeResponse` becomes the invoke's result, and `trace` goes to the Emulator only.
    ///
    /// # Errors
    /// A [`SendError`](tidings_connector::SendError) when the channel did not take it.
    pub async fn send(&mut self, activity: Activity) -> Result<ResourceResponse> {
        let responses = self.send_all(vec![activity]).await?;
        // A hook may have sent nothing, or something after it.
        Ok(responses.into_iter().next().unwrap_or_default())
    }

    /// Sends `activities` one after another and gives the channel's answers in order.
    ///
    /// # Errors
    /// As [`send`](Self::send). The activities before the one that failed have been sent.
    pub async fn send_all(&mut self, mut activities: Vec<Activity>) -> Result<Vec<ResourceResponse>> {
        for activity in &mut activities {
            activity.apply_reference(self.addressing(), Direction::Outgoing);
            activity.id = None;
            if activity.kind.as_str().is_empty() {
                activity.kind = ActivityType::Message;
            }
        }
        let hooks = self
            .hooks
            .as_ref()
            .map(|hooks| hooks.send.clone())
            .unwrap_or_default();
        NextSend { hooks: &hooks }.run(self, &mut activities).await
    }

    /// Tells the user that the bot is busy writing. Channels show it for about three seconds.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn typing(&mut self) -> Result<()> {
        self.send(Activity::typing()).await.map(drop)
    }

    /// Sends a trace, which only the Emulator gets.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn trace(&mut self, trace: Activity) -> Result<()> {
        self.send(Activity {
            kind: ActivityType::Trace,
            ..trace
        })
        .await
        .map(drop)
    }

    /// Gives the result of an invoke: the HTTP status and JSON body that the channel gets. The last one
    /// counts.
    ///
    /// # Errors
    /// When `body` cannot be written as JSON.
    pub fn respond_invoke(
        &mut self,
        status: u16,
        body: Option<&(impl serde::Serialize + ?Sized)>,
    ) -> Result<()> {
        let body = body.map(Raw::new).transpose()?;
        self.invoke_response = Some(InvokeResponse::new(status, body));
        self.responded = true;
        Ok(())
    }

    /// Replaces the activity that the channel knows by `activity.id`.
    ///
    /// # Errors
    /// When `activity` has no id, or a [`SendError`](tidings_connector::SendError) when the channel refuses.
    pub async fn update(&mut self, mut activity: Activity) -> Result<ResourceResponse> {
        if activity.id.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::msg(
                "id: the activity to update has none; set it to the id that send gave",
            ));
        }
        activity.apply_reference(self.addressing(), Direction::Outgoing);
        if activity.kind.as_str().is_empty() {
            activity.kind = ActivityType::Message;
        }
        let hooks = self
            .hooks
            .as_ref()
            .map(|hooks| hooks.update.clone())
            .unwrap_or_default();
        NextUpdate { hooks: &hooks }.run(self, &mut activity).await
    }

    /// Deletes the activity of this conversation that the channel knows by `activity_id`.
    ///
    /// # Errors
    /// A [`SendError`](tidings_connector::SendError) when the channel refuses.
    pub async fn delete(&mut self, activity_id: &str) -> Result<()> {
        let mut reference = self.addressing().clone();
        reference.activity_id = Some(activity_id.to_owned());
        self.delete_reference(&reference).await
    }

    /// Deletes the activity that `reference` names by its conversation and `activityId`.
    ///
    /// # Errors
    /// When `reference` lacks one of them, or a [`SendError`](tidings_connector::SendError) when the channel
    /// refuses.
    pub async fn delete_reference(&mut self, reference: &ConversationReference) -> Result<()> {
        if reference.activity_id.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::msg(
                "activityId: the reference to delete names no activity",
            ));
        }
        let mut reference = reference.clone();
        let hooks = self
            .hooks
            .as_ref()
            .map(|hooks| hooks.delete.clone())
            .unwrap_or_default();
        NextDelete { hooks: &hooks }.run(self, &mut reference).await
    }

    /// Sends what has been addressed and has gone through the hooks.
    pub(crate) async fn send_addressed(
        &mut self,
        activities: &mut [Activity],
    ) -> Result<Vec<ResourceResponse>> {
        let mut responses = Vec::with_capacity(activities.len());
        for activity in activities {
            let response = self.send_one(activity).await?;
            if activity.kind != ActivityType::Trace {
                self.responded = true;
            }
            if !response.id.is_empty() {
                activity.id = Some(response.id.clone());
            }
            responses.push(response);
        }
        Ok(responses)
    }

    async fn send_one(&mut self, activity: &Activity) -> Result<ResourceResponse> {
        match activity.kind {
            ActivityType::Delay => {
                tokio::time::sleep(activity.as_delay().unwrap_or_default()).await;
                Ok(ResourceResponse::default())
            }
            ActivityType::InvokeResponse => {
                let response = activity.as_invoke_response();
                self.invoke_response = Some(response.ok_or_else(|| {
                    Error::msg("value: an invokeResponse needs {status, body}; make it with Activity::invoke_response")
                })?);
                Ok(ResourceResponse::default())
            }
            ActivityType::Trace if !self.is_emulator() => Ok(ResourceResponse::default()),
            _ => {
                let outbound = self.outbound();
                outbound.send(activity).await
            }
        }
    }
}
