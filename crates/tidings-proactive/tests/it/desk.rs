//! What the tests stand on: an engine on a database, and a channel at whose other end the test sits.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidings_activity::{Activity, ChannelAccount, ConversationAccount, ConversationReference};
use tidings_bot::Conversation;
use tidings_connector::{Phase, SendError};
use tidings_proactive::{
    Backoff, Channel, Delivery, DeliveryId, DeliveryState, Jobs, MIGRATIONS, Outgoing, Proactive,
    ProactiveError, ProactiveOptions, SeededRng,
};
use tidings_store::{Clock, Database, DatabaseOptions, ManualClock};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An activity on its way, in the hands of the test.
pub(crate) struct Call {
    pub(crate) conversation: Conversation,
    pub(crate) activity: Activity,
    answer: oneshot::Sender<Answer>,
}

enum Answer {
    Return(Result<Option<String>, SendError>),
    Panic,
}

impl Call {
    pub(crate) fn text(&self) -> &str {
        self.activity.text.as_deref().unwrap_or_default()
    }

    pub(crate) fn conversation(&self) -> &str {
        self.conversation.conversation_id().unwrap_or_default()
    }

    pub(crate) fn deliver(self) {
        self.answer(Answer::Return(Ok(Some("channel-id".to_owned()))));
    }

    pub(crate) fn fail(self, error: SendError) {
        self.answer(Answer::Return(Err(error)));
    }

    pub(crate) fn panic(self) {
        self.answer(Answer::Panic);
    }

    fn answer(self, answer: Answer) {
        assert!(
            self.answer.send(answer).is_ok(),
            "the sender waits for its answer"
        );
    }
}

pub(crate) fn unreachable() -> SendError {
    SendError::new(Phase::BeforeBody, "connection refused")
}

pub(crate) fn status(status: u16) -> SendError {
    SendError::new(Phase::AfterBody, "no").with_status(status, Some("Code".to_owned()))
}

/// Hands every activity to the test and waits for what it answers.
struct Line(mpsc::UnboundedSender<Call>);

#[async_trait]
impl Channel for Line {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        let Outgoing {
            conversation,
            activity,
            ..
        } = outgoing;
        let (answer, answered) = oneshot::channel();
        let call = Call {
            conversation: conversation.clone(),
            activity: activity.clone(),
            answer,
        };
        if self.0.send(call).is_err() {
            // The test does not look any more.
            return std::future::pending().await;
        }
        match answered.await {
            Ok(Answer::Return(answer)) => answer,
            Ok(Answer::Panic) => panic!("the mock channel panics as it was told"),
            Err(_) => std::future::pending().await,
        }
    }
}

pub(crate) struct Desk {
    pub(crate) clock: ManualClock,
    pub(crate) db: Database,
    pub(crate) proactive: Proactive,
    pub(crate) jobs: Jobs,
    line: mpsc::UnboundedSender<Call>,
    calls: Mutex<mpsc::UnboundedReceiver<Call>>,
}

pub(crate) struct Running {
    stop: CancellationToken,
    worker: JoinHandle<Result<(), ProactiveError>>,
}

impl Running {
    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    pub(crate) fn abort(self) {
        self.worker.abort();
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.worker.await.unwrap().unwrap();
    }
}

/// As the default, without jitter and with few slots, so that tests reach the limits.
pub(crate) fn options(concurrency: usize) -> ProactiveOptions {
    let mut options = ProactiveOptions::default();
    options.concurrency = concurrency;
    options.backoff = Backoff {
        jitter: 0.0,
        ..Backoff::default()
    };
    options.rng = Arc::new(SeededRng::new(1));
    options
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk::on(DatabaseOptions::temporary(), options(4))
    }

    pub(crate) fn on(database: DatabaseOptions, options: ProactiveOptions) -> Desk {
        let clock = ManualClock::new("2026-03-01T09:00:00Z".parse().unwrap());
        let db = Database::open(database.component(MIGRATIONS)).unwrap();
        let proactive = Proactive::with_options(db.clone(), Arc::new(clock.clone()), options);
        let (line, calls) = mpsc::unbounded_channel();
        Desk {
            clock,
            db,
            jobs: proactive.jobs(),
            proactive,
            line,
            calls: Mutex::new(calls),
        }
    }

    pub(crate) fn run(&self) -> Running {
        let (proactive, stop) = (self.proactive.clone(), CancellationToken::new());
        let (channel, token) = (Arc::new(Line(self.line.clone())), stop.clone());
        let worker = tokio::spawn(async move { proactive.run(channel, token).await });
        Running { stop, worker }
    }

    /// Waits until the worker has begun, by having it deliver something.
    pub(crate) async fn until_it_runs(&self) {
        let first = self.enqueue("somebody", "hello").await;
        self.call().await.deliver();
        self.until(first, DeliveryState::Delivered).await;
    }

    /// The next activity that the worker sends.
    pub(crate) async fn call(&self) -> Call {
        self.calls.lock().await.recv().await.unwrap()
    }

    pub(crate) async fn nothing_is_on_its_way(&self) -> bool {
        self.calls.lock().await.is_empty()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn enqueue(&self, conversation: &str, text: &str) -> DeliveryId {
        self.proactive
            .enqueue(reference(conversation), &Activity::message(text))
            .await
            .unwrap()
    }

    pub(crate) async fn delivery(&self, id: DeliveryId) -> Delivery {
        self.proactive.delivery(id).await.unwrap().unwrap()
    }

    /// Waits until the delivery is in `state`.
    pub(crate) async fn until(&self, id: DeliveryId, state: DeliveryState) -> Delivery {
        let mut changes = self.jobs.watch();
        loop {
            changes.borrow_and_update();
            let delivery = self.delivery(id).await;
            if delivery.state == state {
                return delivery;
            }
            assert!(
                !delivery.state.is_final(),
                "ended as {delivery:?} instead of {state}"
            );
            changes.changed().await.unwrap();
        }
    }

    /// How many deliveries are in each state, as `state count` lines.
    pub(crate) async fn ledger(&self) -> Vec<(String, u32)> {
        self.db
            .read(|conn| {
                let mut statement =
                    conn.prepare("SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })
            .await
            .unwrap()
    }
}

pub(crate) fn reference(conversation: &str) -> ConversationReference {
    ConversationReference {
        user: Some(ChannelAccount::new("user", "User")),
        bot: Some(ChannelAccount::new("bot", "Bot")),
        conversation: Some(ConversationAccount::new(conversation)),
        channel_id: Some("test".to_owned()),
        service_url: Some("http://127.0.0.1:1".to_owned()),
        ..ConversationReference::default()
    }
}
