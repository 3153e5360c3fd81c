//! `/v3/conversations/{conversationId}/members` and its kin: who is there.

use tidings_activity::{ChannelAccount, PagedMembersResult};

use super::ConnectorClient;
use crate::SendError;
use crate::path::Path;

impl ConnectorClient {
    /// `GET /v3/conversations/{conversationId}/members`: all members at once. For Teams use
    /// [`get_conversation_paged_members`](Self::get_conversation_paged_members); there this is limited to five calls
    /// a minute.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn get_conversation_members(
        &self,
        service_url: &str,
        conversation_id: &str,
    ) -> Result<Vec<ChannelAccount>, SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?.literal("/members");
        self.get(service_url, path).await?.json_or_default()
    }

    /// `GET /v3/conversations/{conversationId}/members/{memberId}`: one member.
    ///
    /// # Errors
    ///
    /// [`SendError`]; 404 if there is no such member.
    pub async fn get_conversation_member(
        &self,
        service_url: &str,
        conversation_id: &str,
        member_id: &str,
    ) -> Result<ChannelAccount, SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?
            .literal("/members/")
            .id("member id", member_id)?;
        self.get(service_url, path).await?.json()
    }

    /// `DELETE /v3/conversations/{conversationId}/members/{memberId}`: removes a member, and the conversation with
    /// the last one.
    ///
    /// # Errors
    ///
    /// [`SendError`]. A `DELETE` has no body, so unless there was no connection it counts as left.
    pub async fn delete_conversation_member(
        &self,
        service_url: &str,
        conversation_id: &str,
        member_id: &str,
    ) -> Result<(), SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?
            .literal("/members/")
            .id("member id", member_id)?;
        self.delete(service_url, path).await
    }

    /// `GET /v3/conversations/{conversationId}/pagedmembers`: one page of the members; the answer's
    /// `continuation_token` leads to the next. Channels bound `page_size` themselves, Teams to 500.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn get_conversation_paged_members(
        &self,
        service_url: &str,
        conversation_id: &str,
        page_size: Option<u32>,
        continuation_token: Option<&str>,
    ) -> Result<PagedMembersResult, SendError> {
        let service = self.service(service_url)?;
        let page_size = page_size.map(|size| size.to_string());
        let path = Path::conversation(&service, conversation_id)?
            .literal("/pagedmembers")
            .query("pageSize", page_size.as_deref())
            .query("continuationToken", continuation_token);
        self.get(service_url, path).await?.json_or_default()
    }

    /// `GET /v3/conversations/{conversationId}/activities/{activityId}/members`: whom an activity was for.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn get_activity_members(
        &self,
        service_url: &str,
        conversation_id: &str,
        activity_id: &str,
    ) -> Result<Vec<ChannelAccount>, SendError> {
        let service = self.service(service_url)?;
        let path = Path::activity(&service, conversation_id, activity_id)?.literal("/members");
        self.get(service_url, path).await?.json_or_default()
    }
}
