//! Chat windows to the bot, on a database of their own.

use std::sync::Arc;

use tidings::bot::TestAdapter;
use tidings::proactive::{self, CancellationToken, Jobs, Proactive};
use tidings::store::{Database, SystemClock};
use tokio_util::sync::DropGuard;

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
        let (windows, stopped) = (Arc::new(window.clone()), stop.clone());
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
