//! Activities sent through the channel's connector.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidings_activity::{
    Activity, ConversationParameters, ConversationReference, ConversationResourceResponse, ResourceResponse,
};
use tidings_connector::{ConnectorClient, SendError};
use tokio::time::Instant;

use super::Outbound;
use crate::error::{Error, Result};

/// How often a request that the channel answers with 429 is sent in all.
const TRIES: u32 = 3;

/// How long the waits between those tries may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait after a 429 that does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// Sends through the connector at each activity's `serviceUrl`.
///
/// An activity with a `replyToId` goes by the reply route, any other by the send route. A 429 proves that
/// nothing was delivered, so it is tried again after `Retry-After`: three tries at most, and no wait that
/// would end more than 10 s after the first answer. No other failure is tried again, because the message may
/// have arrived.
#[derive(Debug, Clone)]
pub struct ConnectorOutbound {
    client: ConnectorClient,
}

impl ConnectorOutbound {
    /// Sends through `client`.
    pub fn new(client: ConnectorClient) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Outbound for ConnectorOutbound {
    fn for_audience(&self, audience: &str) -> Option<Arc<dyn Outbound>> {
        Some(Arc::new(Self::new(self.client.for_audience(Some(audience)))))
    }

    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        let (service_url, conversation_id) = address_of(activity)?;
        patiently(|| async {
            match activity.reply_to_id.as_deref().filter(|id| !id.is_empty()) {
                Some(id) => {
                    self.client
                        .reply_to_activity(service_url, conversation_id, id, activity)
                        .await
                }
                None => {
                    self.client
                        .send_to_conversation(service_url, conversation_id, activity)
                        .await
                }
            }
        })
        .await
    }

    async fn update(&self, activity: &Activity) -> Result<ResourceResponse> {
        let (service_url, conversation_id) = address_of(activity)?;
        let id = required(activity.id.as_deref(), "id")?;
        patiently(|| {
            self.client
                .update_activity(service_url, conversation_id, id, activity)
        })
        .await
    }

    async fn delete(&self, reference: &ConversationReference) -> Result<()> {
        let service_url = required(reference.service_url.as_deref(), "serviceUrl")?;
        let conversation_id = required(reference.conversation_id(), "conversation.id")?;
        let id = required(reference.activity_id.as_deref(), "activityId")?;
        patiently(|| self.client.delete_activity(service_url, conversation_id, id)).await
    }

    async fn create_conversation(
        &self,
        service_url: &str,
        parameters: &ConversationParameters,
    ) -> Result<ConversationResourceResponse> {
        patiently(|| self.client.create_conversation(service_url, parameters)).await
    }
}

fn address_of(activity: &Activity) -> Result<(&str, &str)> {
    let service_url = required(activity.service_url.as_deref(), "serviceUrl")?;
    let conversation = activity
        .conversation
        .as_ref()
        .and_then(|conversation| conversation.id.as_deref());
    Ok((service_url, required(conversation, "conversation.id")?))
}

fn required<'a>(value: Option<&'a str>, field: &str) -> Result<&'a str> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Error::msg(format!(
            "{field}: missing, so the channel cannot be addressed"
        ))),
    }
}

/// Tries `request` again after each 429, as long as that is allowed.
async fn patiently<T, F>(mut request: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T, SendError>>,
{
    let mut deadline = None;
    for tried in 1.. {
        let error = match request().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if error.status != Some(429) || tried >= TRIES {
            return Err(error.into());
        }
        let wait = error.retry_after.unwrap_or(DEFAULT_WAIT);
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
        if Instant::now() + wait > deadline {
            return Err(error.into());
        }
        tracing::debug!(
            wait.ms = wait.as_millis(),
            tried,
            "the channel asked to wait (429)"
        );
        tokio::time::sleep(wait).await;
    }
    unreachable!("the loop ends by returning")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tidings_connector::Phase;

    use super::*;

    fn refusal(status: u16, wait: Option<u64>) -> SendError {
        let error = SendError::new(Phase::AfterBody, "no").with_status(status, None);
        match wait {
            Some(seconds) => error.with_retry_after(Duration::from_secs(seconds)),
            None => error,
        }
    }

    /// The requests made and the virtual time that passed until `patiently` gave up or got through.
    async fn run(answers: &[Option<(u16, Option<u64>)>]) -> (bool, u32, u64) {
        let requests = AtomicU32::new(0);
        let started = Instant::now();
        let result = patiently(|| {
            let number = requests.fetch_add(1, Ordering::Relaxed) as usize;
            let answer = answers.get(number).copied().flatten();
            async move { answer.map_or(Ok(()), |(status, wait)| Err(refusal(status, wait))) }
        })
        .await;
        (result.is_ok(), requests.into_inner(), started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_is_tried_again_after_retry_after() {
        assert_eq!(run(&[Some((429, Some(3)))]).await, (true, 2, 3));
        assert_eq!(run(&[Some((429, None))]).await, (true, 2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn three_tries_are_the_limit() {
        let busy = Some((429, Some(1)));
        assert_eq!(run(&[busy, busy]).await, (true, 3, 2));
        assert_eq!(run(&[busy, busy, busy]).await, (false, 3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn ten_seconds_are_the_limit() {
        assert_eq!(run(&[Some((429, Some(10)))]).await, (true, 2, 10));
        assert_eq!(run(&[Some((429, Some(11)))]).await, (false, 1, 0));
        assert_eq!(
            run(&[Some((429, Some(5))), Some((429, Some(5)))]).await,
            (true, 3, 10)
        );
        assert_eq!(
            run(&[Some((429, Some(5))), Some((429, Some(6)))]).await,
            (false, 2, 5)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_else_is_tried_again() {
        for status in [400, 401, 403, 404, 405, 408, 412, 413, 500, 502, 503, 504] {
            assert_eq!(run(&[Some((status, Some(1)))]).await, (false, 1, 0), "{status}");
        }
    }
}
