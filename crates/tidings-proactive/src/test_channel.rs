//! The way out in tests of bots with jobs.

use async_trait::async_trait;
use tidings_bot::{Adapter, ConversationKey, Outbound as _, TestAdapter};
use tidings_connector::{Phase, SendError};

use crate::channel::{Channel, Outgoing};

/// Brings what is owed to the windows of the test, behind the running turn of their conversation, as the server does.
///
/// ```
/// use std::sync::Arc;
///
/// use tidings_bot::{Result, Router, TestAdapter, TurnContext};
/// use tidings_proactive::{CancellationToken, Jobs, MIGRATIONS, Proactive};
/// use tidings_store::{Database, SystemClock};
///
/// async fn run(turn: &mut TurnContext, jobs: Jobs) -> Result<()> {
///     let job = jobs.start(turn.reference()).await?;
///     jobs.complete(job, "That was quick.").await?;
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let proactive = Proactive::new(Database::temporary([MIGRATIONS])?, Arc::new(SystemClock));
/// let ann = TestAdapter::builder(Router::new().message("run", run))
///     .set_up(|adapter| adapter.service(proactive.jobs()))
///     .build();
/// let windows = Arc::new(ann.clone());
/// tokio::spawn(async move { proactive.run(windows, CancellationToken::new()).await });
///
/// ann.send("run").await?;
/// assert_eq!(ann.next().await.text.as_deref(), Some("That was quick."));
/// # Ok(())
/// # }
/// ```
#[async_trait]
impl Channel for TestAdapter {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let Outgoing {
            conversation,
            activity,
            ..
        } = outgoing;
        let refused = |problem: &str| SendError::new(Phase::Refused, problem);
        let key = ConversationKey::of_reference(conversation)
            .ok_or_else(|| refused("the reference names no channel or no conversation"))?;
        let entered = self.adapter().gate().enter(&key).await;
        let _inside = entered.map_err(|error| refused(&error.to_string()))?;
        let sent = self.channel().send(activity).await;
        sent.map(|sent| Some(sent.id)).map_err(|error| {
            let status = error
                .downcast_ref::<SendError>()
                .and_then(|refusal| refusal.status);
            let answered = SendError::new(Phase::AfterBody, error.to_string());
            match status {
                Some(status) => answered.with_status(status, None),
                None => answered,
            }
        })
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(TestAdapter::adapter(self))
    }
}
