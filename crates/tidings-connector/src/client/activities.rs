//! `/v3/conversations/{conversationId}/activities`: what is said.

use tidings_activity::{Activity, ResourceResponse, Transcript};

use super::ConnectorClient;
use crate::SendError;
use crate::path::Path;

impl ConnectorClient {
    /// `POST /v3/conversations/{conversationId}/activities`: says something in a conversation.
    ///
    /// If the channel names no id, the answer holds the activity's own id or `""`. A targeted activity (entity
    /// `activityTreatment`) is sent with `isTargetedActivity=true`, so that only its recipient sees it.
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the activity may have been posted.
    pub async fn send_to_conversation(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity: &Activity,
    ) -> Result<ResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?.literal("/activities");
        self.say(service_url, path, activity).await
    }

    /// `POST /v3/conversations/{conversationId}/activities/{activityId}`: says something in reply to an activity.
    ///
    /// Ids and targeted activities as for [`send_to_conversation`](Self::send_to_conversation).
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the activity may have been posted.
    pub async fn reply_to_activity(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
        activity: &Activity,
    ) -> Result<ResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::activity(&service, conversation_id, activity_id)?;
        self.say(service_url, path, activity).await
    }

    /// `PUT /v3/conversations/{conversationId}/activities/{activityId}`: replaces an activity that was sent.
    ///
    /// Not every channel can; those answer 405. A targeted activity is updated with `isTargetedActivity=true`.
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the update may have been made.
    pub async fn update_activity(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
        activity: &Activity,
    ) -> Result<ResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::activity(&service, conversation_id, activity_id)?
            .query("isTargetedActivity", targeted(activity));
        Ok(self
            .put(service_url, path, activity)
            .await?
            .resource(Some(activity_id)))
    }

    /// `DELETE /v3/conversations/{conversationId}/activities/{activityId}`: takes back an activity that was sent.
    ///
    /// Not every channel can; those answer 405.
    ///
    /// # Errors
    ///
    /// [`SendError`]. A `DELETE` has no body, so unless there was no connection it counts as left.
    pub async fn delete_activity(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
    ) -> Result<(), SendError> {
        self.delete_one(service_url, conversation_id, activity_id, None)
            .await
    }

    /// As [`delete_activity`](Self::delete_activity), for one that was sent as a targeted activity
    /// (`isTargetedActivity=true`).
    ///
    /// # Errors
    ///
    /// As [`delete_activity`](Self::delete_activity).
    pub async fn delete_targeted_activity(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
    ) -> Result<(), SendError> {
        self.delete_one(service_url, conversation_id, activity_id, Some("true"))
            .await
    }

    async fn say(
        &self,
        service_url: &str,
        path: Path<'_>,
        activity: &Activity,
    ) -> Result<ResourceResponse, SendError> {
        let path = path.query("isTargetedActivity", targeted(activity));
        let answer = self.post(service_url, path, activity).await?;
        Ok(answer.resource(activity.id.as_deref()))
    }

    async fn delete_one(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
        targeted: Option<&str>,
    ) -> Result<(), SendError> {
        let service = self.service(service_url)?;
        let path =
            Path::activity(&service, conversation_id, activity_id)?.query("isTargetedActivity", targeted);
        self.delete(service_url, path).await
    }

    /// `POST /v3/conversations/{conversationId}/activities/history`: uploads what was said before, in order.
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the history may have been taken.
    pub async fn send_conversation_history(
        &self,
        service_url: &str,
        conversation_id: &str,
        transcript: &Transcript,
    ) -> Result<ResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?.literal("/activities/history");
        Ok(self.post(service_url, path, transcript).await?.resource(None))
    }
}

fn targeted(activity: &Activity) -> Option<&'static str> {
    activity.is_targeted().then_some("true")
}
