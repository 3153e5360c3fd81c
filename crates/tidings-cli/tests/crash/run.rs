//! One run: callers, kills, the drain, and what was found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::channel::{Channel, Temper};
use crate::door::Door;
use crate::journal::Post;
use crate::killer::{Moment, Outage, start_and_kill};
use crate::ledger::{Delivery, Ledger};
use crate::load::{Caller, Market};
use crate::node::{Node, NodeOptions, PATIENCE};
use crate::oracle;
use crate::owed::Owed;
use crate::settings::Settings;

const CALLERS: usize = 8;
const LANES_OF_A_CALLER: usize = 4;

/// What is known after a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Evidence {
    pub(crate) owed: Vec<Owed>,
    /// What callers were told that they must not be told.
    pub(crate) complaints: Vec<String>,
    pub(crate) posts: Vec<Post>,
    pub(crate) outages: Vec<Outage>,
    pub(crate) deliveries: Vec<Delivery>,
}

/// The load of a run, and the channel it goes to.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) channel: Channel,
    pub(crate) door: Door,
    pub(crate) outages: Vec<Outage>,
    folder: TempDir,
    market: Market,
    callers: JoinSet<(Vec<Owed>, Vec<String>)>,
}

impl Run {
    pub(crate) async fn new(settings: Settings, temper: Temper) -> Self {
        let channel = Channel::start(temper).await;
        let door = Door::new(channel.journal.clone());
        let market = Market {
            door: door.clone(),
            journal: channel.journal.clone(),
            service_url: channel.service_url.clone(),
            over: Arc::new(AtomicBool::new(false)),
            accepted: Arc::new(AtomicUsize::new(0)),
        };
        Self {
            settings,
            channel,
            door,
            outages: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
            market,
            callers: JoinSet::new(),
        }
    }

    /// How a node called `name` is started; `database` is a file in the run's folder unless a URL is given.
    pub(crate) fn node(&self, name: &str, database: Option<&str>) -> NodeOptions {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = format!("sqlite://{}", self.folder.path().join("tidings.db").display());
        NodeOptions {
            folder,
            database: database.map_or(file, str::to_owned),
            lease: Some("1s"),
        }
    }

    /// Lets callers loose, now or as soon as a node is ready.
    pub(crate) fn trade(&mut self) {
        for caller in 0..CALLERS {
            let name = format!("c{caller}");
            let dice = self.settings.dice(&name);
            let mut caller = Caller::new(self.market.clone(), dice, &name, LANES_OF_A_CALLER);
            self.callers.spawn(async move {
                caller.introduce().await;
                caller.trade().await
            });
        }
    }

    /// Waits until the channel got so much more.
    pub(crate) async fn until_posted(&self, posts: usize) {
        let grown = timeout(PATIENCE, self.channel.journal.grow(posts)).await;
        assert!(grown.is_ok(), "{posts} further POSTs did not come");
    }

    /// Starts and kills a node as often as the settings say.
    pub(crate) async fn kill_again_and_again(&mut self, node: &NodeOptions) {
        let mut dice = self.settings.dice("kills");
        for _ in 0..self.settings.kills {
            let moment = Moment::throw(&mut dice);
            let outage = start_and_kill(node, moment, &self.door, &self.channel.journal).await;
            self.outages.push(outage);
        }
    }

    /// Stops trading, waits until everything has ended, and returns what is known then. A node must be ready.
    pub(crate) async fn settle(&mut self) -> Evidence {
        self.market.over.store(true, Ordering::Relaxed);
        let mut evidence = Evidence::default();
        while let Some(caller) = self.callers.join_next().await {
            let (owed, complaints) = caller.unwrap();
            evidence.owed.extend(owed);
            evidence.complaints.extend(complaints);
        }
        let mut ledger = Ledger {
            door: &self.door,
            dice: self.settings.dice("ledger"),
        };
        drain(&mut ledger, &self.channel).await;
        evidence.deliveries = ledger.all().await;
        evidence.posts = self.channel.journal.all();
        evidence.outages = std::mem::take(&mut self.outages);
        self.judge(&evidence);
        evidence
    }

    /// Panics with what does not add up, and leaves the evidence in a file.
    fn judge(&mut self, evidence: &Evidence) {
        let summary = oracle::summary(evidence);
        println!("seed {}: {summary}", self.settings.seed);
        let violations = oracle::violations(evidence);
        if violations.is_empty() {
            return;
        }
        self.folder.disable_cleanup(true);
        let file = self.folder.path().join("evidence.json");
        std::fs::write(&file, serde_json::to_vec_pretty(evidence).unwrap()).unwrap();
        let first: Vec<&str> = violations.iter().take(20).map(String::as_str).collect();
        panic!(
            "seed {}: {} violations, evidence in {}; {summary}\n{}",
            self.settings.seed,
            violations.len(),
            file.display(),
            first.join("\n")
        );
    }
}

/// Waits until nothing is open any more. Panics when nothing has happened for long and something still is.
async fn drain(ledger: &mut Ledger<'_>, channel: &Channel) {
    let mut news = ledger.news().await;
    let mut posts = channel.journal.watch();
    let (mut open, mut since) = (u64::MAX, tokio::time::Instant::now());
    loop {
        let now = ledger.open().await;
        if now == 0 {
            return;
        }
        if now != open || posts.has_changed().unwrap() {
            posts.mark_unchanged();
            (open, since) = (now, tokio::time::Instant::now());
        }
        assert!(since.elapsed() < PATIENCE, "{open} deliveries do not end");
        // Until something has changed, or the server says that nothing has for a while.
        let told = timeout(PATIENCE, news.chunk()).await;
        let told = told.unwrap_or_else(|_| panic!("{open} deliveries are open, and nothing is told of them"));
        if !matches!(told, Ok(Some(_))) {
            news = ledger.news().await;
        }
    }
}

/// Starts a node and opens the door to it.
pub(crate) async fn serve(options: &NodeOptions, door: &Door) -> Node {
    let mut node = Node::start(options);
    node.ready().await;
    door.open(&node.base);
    node
}
