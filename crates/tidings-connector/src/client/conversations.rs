//! `/v3/conversations`: the conversations themselves.

use tidings_activity::{ConversationParameters, ConversationResourceResponse, ConversationsResult};

use super::ConnectorClient;
use crate::SendError;
use crate::path::Path;

impl ConnectorClient {
    /// `POST /v3/conversations`: creates a conversation, or finds the one that these members already have.
    ///
    /// Web Chat and Direct Line answer 405: there only the user opens a conversation.
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the conversation may have been created. If the answer cannot be read,
    /// it was created and [`SendError::is_accepted`] is true.
    pub async fn create_conversation(
        &self,
        service_url: &str,
        parameters: &ConversationParameters,
    ) -> Result<ConversationResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::new(&service).literal("/v3/conversations");
        let answer = self.post(service_url, path, parameters).await?;
        let created: ConversationResourceResponse = answer.json()?;
        if created.id.is_empty() {
            let message = "the conversation was created, but the answer does not say its id";
            return Err(answer.useless(message));
        }
        Ok(created)
    }

    /// `GET /v3/conversations`: one page of the conversations that the bot takes part in; the answer's
    /// `continuation_token` leads to the next. Direct Line and Web Chat only.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn get_conversations(
        &self,
        service_url: &str,
        continuation_token: Option<&str>,
    ) -> Result<ConversationsResult, SendError> {
        let service = self.service(service_url)?;
        let path = Path::new(&service)
            .literal("/v3/conversations")
            .query("continuationToken", continuation_token);
        self.get(service_url, path).await?.json_or_default()
    }
}
