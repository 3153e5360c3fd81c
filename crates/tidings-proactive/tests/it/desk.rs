//! What the tests stand on: an engine on a database, and a channel at whose other end the test sits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tidings_activity::{Activity, ChannelAccount, ConversationAccount, ConversationReference};
use tidings_bot::{Adapter, Conversation};
use tidings_connector::{Phase, SendError};
use tidings_proactive::{
    Backoff, Channel, Delivery, DeliveryId, DeliveryState, Enqueue, Jobs, MIGRATIONS, Outgoing, Proactive,
    ProactiveError, ProactiveOptions, SeededRng,
};
use tidings_store::simulation::{Access, Faults, SimulatedDisk};
use tidings_store::{Clock, Database, DatabaseOptions, Dialect, ManualClock, StoreError, Tx};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An activity on its way, in the hands of the test.
pub(crate) struct Call {
    pub(crate) delivery: DeliveryId,
    pub(crate) reconcile: bool,
    pub(crate) conversation: Conversation,
    pub(crate) activity: Activity,
    /// What is done with it: `send`, `update` or `delete`.
    pub(crate) operation: &'static str,
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
        self.deliver_as("channel-id");
    }

    /// As [`deliver`](Self::deliver), with the channel's id of the activity.
    pub(crate) fn deliver_as(self, id: &str) {
        self.answer(Answer::Return(Ok(Some(id.to_owned()))));
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
struct Line {
    calls: mpsc::UnboundedSender<Call>,
    reconciles: bool,
    adapter: Option<Adapter>,
}

impl Line {
    async fn call(
        &self,
        operation: &'static str,
        outgoing: Outgoing<'_>,
    ) -> Result<Option<String>, SendError> {
        let Outgoing {
            delivery,
            conversation,
            activity,
            reconcile,
            ..
        } = outgoing;
        let (answer, answered) = oneshot::channel();
        let call = Call {
            delivery,
            reconcile,
            conversation: conversation.clone(),
            activity: activity.clone(),
            operation,
            answer,
        };
        if self.calls.send(call).is_err() {
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

#[async_trait]
impl Channel for Line {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Option<String>, SendError> {
        self.call("send", outgoing).await
    }

    async fn update(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        self.call("update", outgoing).await.map(drop)
    }

    async fn delete(&self, outgoing: Outgoing<'_>) -> Result<(), SendError> {
        self.call("delete", outgoing).await.map(drop)
    }

    fn reconciles(&self, conversation: &ConversationReference) -> bool {
        self.reconciles && conversation.channel_id.as_deref() == Some("test")
    }

    fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }
}

pub(crate) struct Desk {
    pub(crate) clock: ManualClock,
    pub(crate) db: Database,
    pub(crate) proactive: Proactive,
    pub(crate) jobs: Jobs,
    /// Whether the channel recognises repeats.
    pub(crate) reconciles: bool,
    /// What runs the turns of handlers.
    pub(crate) adapter: Option<Adapter>,
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

    /// Over when this returns: the next run must not find it running.
    pub(crate) async fn abort(self) {
        self.worker.abort();
        let _ = self.worker.await;
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.worker.await.unwrap().unwrap();
    }
}

struct NoFaults;

#[async_trait]
impl Faults for NoFaults {
    async fn before(&self, _: Access) -> Result<(), StoreError> {
        Ok(())
    }

    async fn after(&self, _: Access) -> Result<(), StoreError> {
        Ok(())
    }
}

fn clock() -> ManualClock {
    ManualClock::new("2026-03-01T09:00:00Z".parse().unwrap())
}

/// As the default, without jitter and with few slots, so that tests reach the limits.
pub(crate) fn options(concurrency: usize) -> ProactiveOptions {
    let mut options = ProactiveOptions::default();
    options.concurrency = concurrency;
    // The runtime's time goes on while the database is at work, however long that takes on a busy machine.
    options.lease = Duration::from_hours(24);
    options.backoff = Backoff {
        jitter: 0.0,
        ..Backoff::default()
    };
    options.rng = Arc::new(SeededRng::new(1));
    options
}

/// Whether the tests run on PostgreSQL: with `TIDINGS_TEST_DATABASE=postgres` they do, else on SQLite.
pub(crate) fn is_on_postgres() -> bool {
    cfg!(unix) && std::env::var_os("TIDINGS_TEST_DATABASE").is_some_and(|name| name == "postgres")
}

/// A place for a database of its own, which goes with its last handle.
pub(crate) fn place() -> DatabaseOptions {
    #[cfg(unix)]
    if is_on_postgres() {
        return tidings_store::test_postgres::TestPostgres::shared().options();
    }
    DatabaseOptions::temporary()
}

/// Has the database refuse an `event` (such as `INSERT`) of rows where `when` holds, until [`Desk::allow`].
pub(crate) fn refuse(tx: &Tx<'_>, event: &str, table: &str, when: &str) -> Result<(), StoreError> {
    tx.script(&match tx.dialect() {
        Dialect::Sqlite => format!(
            "CREATE TRIGGER refuse BEFORE {event} ON {table} WHEN {when} BEGIN SELECT raise(FAIL, 'not now'); END"
        ),
        Dialect::Postgres => format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not now'; END$$;
             CREATE TRIGGER refuse BEFORE {event} ON {table} FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION refuse()"
        ),
    })
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk::on(place(), options(4))
    }

    pub(crate) fn on(database: DatabaseOptions, options: ProactiveOptions) -> Desk {
        let db = Database::open(database.component(MIGRATIONS)).unwrap();
        Desk::over(db, clock(), options)
    }

    /// On a database that works on the thread of the test. The runtime's paused time does not go on while it does, as it
    /// does while it waits for the threads of a real one: for tests in which that time is what matters.
    pub(crate) fn in_step(options: ProactiveOptions) -> Desk {
        let disk = SimulatedDisk::new([MIGRATIONS]).unwrap();
        Desk::over(disk.connect(Arc::new(NoFaults)), clock(), options)
    }

    /// Another engine on the same database, as in another process.
    pub(crate) fn beside(&self, options: ProactiveOptions) -> Desk {
        Desk::over(self.db.clone(), self.clock.clone(), options)
    }

    /// As [`beside`](Self::beside), with a clock of its own.
    pub(crate) fn beside_with_a_clock(&self, options: ProactiveOptions) -> Desk {
        Desk::over(self.db.clone(), ManualClock::new(self.now()), options)
    }

    fn over(db: Database, clock: ManualClock, options: ProactiveOptions) -> Desk {
        let proactive = Proactive::with_options(db.clone(), Arc::new(clock.clone()), options);
        let (line, calls) = mpsc::unbounded_channel();
        Desk {
            clock,
            db,
            jobs: proactive.jobs(),
            proactive,
            reconciles: false,
            adapter: None,
            line,
            calls: Mutex::new(calls),
        }
    }

    pub(crate) fn run(&self) -> Running {
        let (proactive, stop) = (self.proactive.clone(), CancellationToken::new());
        let line = Line {
            calls: self.line.clone(),
            reconciles: self.reconciles,
            adapter: self.adapter.clone(),
        };
        let (channel, token) = (Arc::new(line), stop.clone());
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

    /// A delivery to a conversation, to be specified further.
    pub(crate) fn owe(&self, conversation: &str, text: &str) -> Enqueue {
        Enqueue::new(&self.proactive, reference(conversation), &Activity::message(text)).unwrap()
    }

    /// As [`owe`](Self::owe), to a conversation of a tenant.
    pub(crate) fn owe_in(&self, conversation: &str, tenant: &str, text: &str) -> Enqueue {
        let mut to = reference(conversation);
        to.conversation.as_mut().unwrap().tenant_id = Some(tenant.to_owned());
        Enqueue::new(&self.proactive, to, &Activity::message(text)).unwrap()
    }

    /// Answers the next call, which must bring `text`, and waits until that is on record.
    pub(crate) async fn deliver(&self, text: &str) {
        let call = self.call().await;
        assert_eq!(call.text(), text);
        let id = call.delivery;
        call.deliver();
        self.until(id, DeliveryState::Delivered).await;
    }

    /// Gives the worker every occasion to do what it should not: paused time passes, because nothing tells of what does
    /// not happen.
    pub(crate) async fn nothing_happens(&self) {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            self.db.write(|_| Ok(())).await.unwrap();
        }
        assert!(self.nothing_is_on_its_way().await);
    }

    /// Lets the worker poll, which paused time makes it do.
    pub(crate) async fn until_it_looked(&self) {
        // One look may have begun before; the one after it has seen everything.
        let seen = self.proactive.stats().await.cycles + 2;
        while self.proactive.stats().await.cycles < seen {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.db.write(|_| Ok(())).await.unwrap();
    }

    /// Waits until the delivery was started so often and is in `state`.
    pub(crate) async fn until_start(&self, id: DeliveryId, starts: u32, state: DeliveryState) -> Delivery {
        let mut changes = self.jobs.watch();
        loop {
            changes.borrow_and_update();
            let delivery = self.delivery(id).await;
            if delivery.state == state && delivery.starts == starts {
                return delivery;
            }
            assert!(delivery.starts <= starts, "{delivery:?}");
            changes.changed().await.unwrap();
        }
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &'static str) {
        self.db.write(move |tx| tx.execute(sql, &[])).await.unwrap();
    }

    /// As [`refuse`], in a commit of its own.
    pub(crate) async fn refuse(&self, event: &'static str, table: &'static str, when: &'static str) {
        let refuse = move |tx: &Tx<'_>| refuse(tx, event, table, when);
        self.db.write(refuse).await.unwrap();
    }

    /// What was refused is fine again.
    pub(crate) async fn allow(&self) {
        let allow = |tx: &Tx<'_>| match tx.dialect() {
            Dialect::Sqlite => tx.script("DROP TRIGGER refuse"),
            Dialect::Postgres => tx.script("DROP FUNCTION refuse CASCADE"),
        };
        self.db.write(allow).await.unwrap();
    }

    /// The first column of a query.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        self.db
            .read(move |tx| tx.all(sql, &[], |row| row.get(0)))
            .await
            .unwrap()
    }

    /// When a conversation may be claimed next, and why not earlier.
    pub(crate) async fn lane(&self, conversation: &'static str) -> (Option<Timestamp>, Option<String>) {
        let found = self.db.read(move |tx| {
            tx.first(
                "SELECT next_at, wait_reason FROM lanes WHERE conversation_id = ?1",
                tidings_store::params![conversation],
                |row| Ok((row.get::<Option<i64>>(0)?, row.get(1)?)),
            )
        });
        let (next_at, reason) = found.await.unwrap().unwrap();
        let next_at = next_at.map(|at| Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX));
        (next_at, reason)
    }

    /// Waits until a conversation waits for this reason; until when it does.
    pub(crate) async fn until_waits(&self, conversation: &'static str, reason: &str) -> Timestamp {
        let mut changes = self.jobs.watch();
        loop {
            changes.borrow_and_update();
            let (next_at, why) = self.lane(conversation).await;
            if why.as_deref() == Some(reason) {
                return next_at.unwrap();
            }
            changes.changed().await.unwrap();
        }
    }

    /// The book is right: see the invariants of the table of lanes.
    pub(crate) async fn check(&self) {
        let wrong = "SELECT lanes.conversation_id FROM lanes WHERE
            backlog <> (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id AND ended_at IS NULL)
            OR CASE WHEN node IS NULL THEN 0 ELSE 1 END
                <> (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id AND state = 'sending')
            OR (node IS NOT NULL AND next_at IS NOT NULL)
            OR (node IS NULL AND next_at IS NULL AND closed_reason IS NULL AND EXISTS (
                SELECT 1 FROM deliveries AS head
                WHERE lane_id = lanes.id AND (state = 'available' OR state = 'retryable') AND due_at IS NULL
                AND NOT EXISTS (
                    SELECT 1 FROM deliveries AS earlier
                    WHERE earlier.lane_id = lanes.id AND earlier.class = head.class
                    AND (earlier.state = 'available' OR earlier.state = 'retryable')
                    AND coalesce(earlier.place, earlier.id) < coalesce(head.place, head.id))))";
        assert_eq!(self.texts(wrong).await, Vec::<String>::new());
    }

    /// How many deliveries are in each state, as `state count` lines.
    pub(crate) async fn ledger(&self) -> Vec<(String, u32)> {
        self.db
            .read(|conn| {
                let select = "SELECT state, count(*) FROM deliveries GROUP BY state ORDER BY state";
                conn.all(select, &[], |row| Ok((row.get(0)?, row.get(1)?)))
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
