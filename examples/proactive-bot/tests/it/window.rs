//! Chat windows to the bot, on a database of their own.

use std::sync::Arc;

use async_trait::async_trait;
use tidings::activity::{Activity, ConversationReference};
use tidings::bot::{ConversationKey, Outbound as _, TestAdapter};
use tidings::connector::{Phase, SendError};
use tidings::proactive::{self, Channel, Jobs, Proactive};
use tidings::store::{Database, SystemClock};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The windows' channel, behind the running turn of each conversation, as the server wires it.
struct Windows(TestAdapter);

#[async_trait]
impl Channel for Windows {
    async fn send(
        &self,
        reference: &ConversationReference,
        activity: &Activity,
    ) -> Result<Option<String>, SendError> {
        let conversation = reference.conversation_id().unwrap_or_default();
        let key = ConversationKey::new(reference.channel_id.as_deref().unwrap_or_default(), conversation);
        let _inside = self.0.adapter().gate().enter(&key).await;
        let sent = self.0.channel().send(activity).await;
        sent.map(|sent| Some(sent.id))
            .map_err(|error| SendError::new(Phase::AfterBody, error.to_string()))
    }
}

pub(crate) struct Bot {
    pub(crate) jobs: Jobs,
    pub(crate) window: TestAdapter,
    _worker: DropGuard,
}

impl Bot {
    pub(crate) fn start() -> Bot {
        let db = Database::temporary([proactive::MIGRATIONS]).unwrap();
        let proactive = Proactive::new(db, Arc::new(SystemClock));
        let jobs = proactive.jobs();
        let window = TestAdapter::builder(proactive_bot::bot())
            .set_up(|adapter| adapter.service(proactive.jobs()))
            .build();
        let stop = CancellationToken::new();
        let (windows, stopped) = (Arc::new(Windows(window.clone())), stop.clone());
        tokio::spawn(async move { proactive.run(windows, stopped).await });
        Bot {
            jobs,
            window,
            _worker: stop.drop_guard(),
        }
    }

    pub(crate) fn window(&self, name: &str) -> TestAdapter {
        self.window.conversation(name)
    }
}

/// The text of the next activity in the window.
pub(crate) async fn next(window: &TestAdapter) -> String {
    window.next().await.text.unwrap_or_default()
}
