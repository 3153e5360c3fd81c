//! `/v3/attachments`: files.

use bytes::Bytes;
use http::header::LOCATION;
use http::{Method, StatusCode, Uri};
use tidings_activity::{AttachmentData, AttachmentInfo, ResourceResponse};
use url::Url;

use super::ConnectorClient;
use crate::SendError;
use crate::path::Path;
use crate::transport::{Answer, Deadline};

/// A connector may keep files elsewhere; more hops than this lead nowhere.
const MOST_REDIRECTS: usize = 3;

impl ConnectorClient {
    /// `POST /v3/conversations/{conversationId}/attachments`: uploads a file; the answer's id names it.
    ///
    /// # Errors
    ///
    /// [`SendError`], whose phase says whether the file may have been taken.
    pub async fn upload_attachment(
        &self,
        service_url: &str,
        conversation_id: &str,
        attachment: &AttachmentData,
    ) -> Result<ResourceResponse, SendError> {
        let service = self.service(service_url)?;
        let path = Path::conversation(&service, conversation_id)?.literal("/attachments");
        Ok(self.post(service_url, path, attachment).await?.resource(None))
    }

    /// `GET /v3/attachments/{attachmentId}`: a file's name, type and views.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn get_attachment_info(
        &self,
        service_url: &str,
        attachment_id: &str,
    ) -> Result<AttachmentInfo, SendError> {
        let service = self.service(service_url)?;
        let path = Path::new(&service)
            .literal("/v3/attachments/")
            .id("attachment id", attachment_id)?;
        self.get(service_url, path).await?.json()
    }

    /// `GET /v3/attachments/{attachmentId}/views/{viewId}`: a file's bytes (`original`, `thumbnail`).
    ///
    /// The one call that follows redirects, as the API says it may answer with one: to hosts that the
    /// [`ServiceUrlPolicy`](crate::ServiceUrlPolicy) allows, never from `https` to `http`, and with the token only as
    /// long as scheme, host and port stay the same.
    ///
    /// # Errors
    ///
    /// [`SendError`], also when the file is longer than
    /// [`attachment_limit`](crate::ConnectorClientBuilder::attachment_limit).
    pub async fn get_attachment_view(
        &self,
        service_url: &str,
        attachment_id: &str,
        view_id: &str,
    ) -> Result<Bytes, SendError> {
        let service = self.service(service_url)?;
        let mut uri = Path::new(&service)
            .literal("/v3/attachments/")
            .id("attachment id", attachment_id)?
            .literal("/views/")
            .id("view id", view_id)?
            .finish()?;
        let deadline = Deadline::after(self.inner.timeout);
        let mut signature = self.sign(service_url, deadline).await?;
        let limit = self.inner.attachment_limit;
        let mut hops = 0;
        loop {
            let answer = self
                .exchange_signed(
                    service_url,
                    Method::GET,
                    uri.clone(),
                    &mut signature,
                    None,
                    deadline,
                    limit,
                )
                .await?;
            if hops == MOST_REDIRECTS {
                return bytes(answer);
            }
            let Some(next) = self.redirect(&uri, &answer)? else {
                return bytes(answer);
            };
            if next.scheme() != uri.scheme() || next.authority() != uri.authority() {
                signature.header = None;
            }
            uri = next;
            hops += 1;
        }
    }

    /// Where the answer sends us, if it does and we may go.
    fn redirect(&self, from: &Uri, answer: &Answer) -> Result<Option<Uri>, SendError> {
        let redirects = matches!(
            answer.status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        let location = answer
            .headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let (true, Some(location)) = (redirects, location) else {
            return Ok(None);
        };
        let refused = |reason: String| {
            SendError::refused(format!(
                "the attachment is kept elsewhere, where we do not go: {reason}"
            ))
        };
        let mut to = Url::parse(&from.to_string())
            .and_then(|from| from.join(location))
            .map_err(|error| refused(error.to_string()))?;
        to.set_fragment(None);
        self.inner
            .guard
            .policy()
            .judge(&to)
            .map_err(|error| refused(error.to_string()).with_source(error))?;
        let to: Uri = to.as_str().parse().map_err(|error| refused(format!("{error}")))?;
        if from.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
            return Err(refused("it leads from https to http".to_owned()));
        }
        Ok(Some(to))
    }
}

/// The whole body of a 2xx answer.
fn bytes(answer: Answer) -> Result<Bytes, SendError> {
    let answer = answer.accepted()?;
    match &answer.fault {
        None => Ok(answer.body),
        Some(fault) => Err(answer.useless(fault.to_string())),
    }
}
