//! The way out in tests of bots with jobs.

use async_trait::async_trait;
use tidings_bot::{Adapter, ConversationKey, Error, GateGuard, Outbound as _, TestAdapter};
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
        let _inside = enter(self, &outgoing).await?;
        let sent = self.channel().send(outgoing.activity).await;
        sent.map(|sent| Some(sent.id)).map_err(|error| answered(&error))
    }

    async fn update(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let _inside = enter(self, &outgoing).await?;
        let updated = self.channel().update(outgoing.activity).await;
        updated.map(drop).map_err(|error| answered(&error))
    }

    async fn delete(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        let _inside = enter(self, &outgoing).await?;
        let mut reference = outgoing.conversation.reference.clone();
        reference.activity_id.clone_from(&outgoing.activity.id);
        let deleted = self.channel().delete(&reference).await;
        deleted.map_err(|error| answered(&error))
    }

    fn adapter(&self) -> Option<&Adapter> {
        Some(TestAdapter::adapter(self))
    }
}

async fn enter(windows: &TestAdapter, outgoing: &Outgoing<'_>) -> Result<GateGuard, SendError> {
    let refused = |problem: &str| SendError::new(Phase::Refused, problem);
    let key = ConversationKey::of_reference(outgoing.conversation)
        .ok_or_else(|| refused("the reference names no channel or no conversation"))?;
    let entered = TestAdapter::adapter(windows).gate().enter(&key).await;
    entered.map_err(|error| refused(&error.to_string()))
}

fn answered(error: &Error) -> SendError {
    let refusal = error.downcast_ref::<SendError>();
    let answered = SendError::new(Phase::AfterBody, error.to_string());
    match refusal.and_then(|refusal| refusal.status.map(|status| (status, refusal.code.clone()))) {
        Some((status, code)) => answered.with_status(status, code),
        None => answered,
    }
}
