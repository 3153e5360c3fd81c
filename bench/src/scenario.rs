//! The measurements.

mod bare;
mod blocked;
mod http;
mod idle;
mod jobs;
mod process;
mod timers;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use hdrhistogram::Histogram;
use tidings_proactive::Enqueue;

use crate::arguments::{Options, Scenario, Store};
use crate::channel::Channel;
use crate::engine::{Engine, PATIENCE};
use crate::finding::{Findings, Goal};
use crate::load::Window;
use crate::place::{Meter, Place};
use crate::served::Served;

/// How often the channel is asked how far it is.
const LOOK: Duration = Duration::from_millis(10);
/// Messages of a transaction when a database is filled.
const FILL: u64 = 1000;

/// A run of the program.
pub(crate) struct Bench {
    options: Options,
    place: Place,
    channel: Channel,
    findings: Findings,
    /// Open messages that a drain does not wait for.
    left_open: u64,
}

/// Who owes the messages.
pub(crate) enum Side {
    Process(Engine),
    Server(Box<Served>),
}

/// A stretch of a run in which the load did not change.
pub(crate) struct Stretch {
    took: Duration,
    messages: u64,
    from: Meter,
    to: Meter,
}

/// Runs what is named and prints what was found.
pub(crate) async fn run(options: Options) -> Result<()> {
    let mut scenarios = options.scenarios.clone();
    if scenarios.is_empty() {
        scenarios = Scenario::value_variants().to_vec();
    }
    // What others are compared with comes first.
    scenarios.sort_unstable();
    scenarios.dedup();
    let json = options.json;
    let mut bench = Bench {
        place: Place::new(options.store, options.folder.clone()),
        channel: Channel::start().await?,
        findings: Findings::default(),
        left_open: 0,
        options,
    };
    for scenario in scenarios {
        bench.say(&format!("{scenario:?} on {}", bench.place.name()));
        match scenario {
            Scenario::Bare => bare::run(&mut bench).await,
            Scenario::Process => process::run(&mut bench).await,
            Scenario::Batch => http::batch(&mut bench).await,
            Scenario::Single => http::single(&mut bench).await,
            Scenario::Open => http::open(&mut bench).await,
            Scenario::Blocked => blocked::run(&mut bench).await,
            Scenario::Timers => timers::run(&mut bench).await,
            Scenario::Idle => idle::run(&mut bench).await,
            Scenario::Jobs => jobs::run(&mut bench).await,
        }?;
    }
    if json {
        println!("{}", bench.findings.json()?);
    } else {
        print!("{}", bench.findings.table());
    }
    Ok(())
}

impl Side {
    async fn open(&mut self) -> Result<u64> {
        match self {
            Self::Process(engine) => engine.open().await,
            Self::Server(served) => served.open().await,
        }
    }

    pub(crate) async fn stop(self) -> Result<()> {
        match self {
            Self::Process(engine) => engine.stop().await,
            Self::Server(served) => served.stop().await,
        }
    }
}

impl Stretch {
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64()
    }

    fn each(&self, what: f64) -> f64 {
        what / self.messages.max(1) as f64
    }
}

impl Bench {
    fn say(&self, what: &str) {
        if self.options.verbose {
            eprintln!("tidings-bench: {what}");
        }
    }

    /// From now on a drain leaves so many messages open.
    fn ignore_open(&mut self, count: u64) {
        self.left_open = count;
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(self.options.seconds)
    }

    /// What is measured on SQLite is measured against the first goal, on PostgreSQL against the second.
    fn goal(&self, sqlite: Goal, postgres: Goal) -> Option<Goal> {
        Some(match self.options.store {
            Store::Sqlite => sqlite,
            Store::Postgres => postgres,
        })
    }

    /// Keeps a window moving for a while.
    async fn follow(&mut self, window: &Window, duration: Duration) -> Result<()> {
        let since = Instant::now();
        let mut look = tokio::time::interval(LOOK);
        while since.elapsed() < duration {
            look.tick().await;
            window.taken(self.channel.count().await?);
        }
        Ok(())
    }

    /// Lets a closed loop run for the time of a measurement, after a warm-up, and then ends it.
    async fn measure(&mut self, window: &Window, pid: Option<u32>) -> Result<Stretch> {
        self.follow(window, self.duration() / 5).await?;
        self.channel.again().await?;
        let (since, from, before) = (
            Instant::now(),
            self.place.meter(pid)?,
            self.channel.count().await?,
        );
        self.follow(window, self.duration()).await?;
        let (took, after) = (since.elapsed(), self.channel.count().await?);
        let to = self.place.meter(pid)?;
        window.end();
        Ok(Stretch {
            took,
            messages: after - before,
            from,
            to,
        })
    }

    /// Waits until everything that is owed has come to the channel and is on record as delivered.
    async fn drain(&mut self, owed: u64, side: &mut Side) -> Result<()> {
        let mut look = tokio::time::interval(LOOK);
        let (mut left, mut since) = (u64::MAX, Instant::now());
        loop {
            look.tick().await;
            let open = side.open().await?.saturating_sub(self.left_open);
            let taken = self.channel.count().await?;
            if open == 0 && taken == owed {
                return Ok(());
            }
            if taken > owed || open == 0 {
                bail!("{owed} messages were owed and {taken} have come");
            }
            if open != left {
                (left, since) = (open, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                bail!("{open} messages do not end");
            }
        }
    }

    /// Puts many messages on record, in transactions of [`FILL`].
    async fn fill(&self, engine: &Engine, count: u64, one: impl Fn(u64) -> Result<Enqueue>) -> Result<()> {
        let mut from = 0;
        while from < count {
            let until = count.min(from + FILL);
            let batch: Result<Vec<Enqueue>> = (from..until).map(&one).collect();
            engine.proactive.enqueue_all(batch?).await?;
            from = until;
        }
        Ok(())
    }

    /// The findings of a stretch that every closed loop has.
    async fn report(&mut self, scenario: &'static str, stretch: &Stretch, goal: Option<Goal>) -> Result<()> {
        let rate = stretch.rate();
        self.findings.add(scenario, "rate", rate, "msg/s", goal);
        if let Some(bare) = self.findings.value("bare", "rate") {
            self.findings
                .add(scenario, "rate / bare POST loop", rate / bare, "", None);
        }
        let cpu = stretch.to.usage.since(stretch.from.usage).cpu.as_micros() as f64;
        self.findings
            .add(scenario, "CPU of the process", stretch.each(cpu), "us/msg", None);
        if let Some(cpu) = self.place.server_cpu(stretch.from, stretch.to) {
            let each = stretch.each(cpu.as_micros() as f64);
            self.findings
                .add(scenario, "CPU of the database server", each, "us/msg", None);
        }
        let written = self.place.written(stretch.from, stretch.to) as f64;
        let (what, goal) = match self.options.store {
            Store::Sqlite => ("bytes written", None),
            Store::Postgres => ("WAL", Some(Goal::AtMost(1500.0))),
        };
        self.findings
            .add(scenario, what, stretch.each(written), "B/msg", goal);
        let lateness = self.channel.tally().await?.lateness()?;
        self.percentiles(scenario, "enqueue to POST", &lateness, None);
        if self.options.verbose
            && let Some(breakdown) = self.place.breakdown(stretch.from, stretch.to)?
        {
            self.say(&format!(
                "write-ahead log of {} messages:\n{breakdown}",
                stretch.messages
            ));
        }
        Ok(())
    }

    /// p50, p90 and p99, the last beside its goal in milliseconds.
    fn percentiles(&mut self, scenario: &'static str, what: &str, times: &Histogram<u64>, p99: Option<f64>) {
        for percentile in [50.0, 90.0, 99.0] {
            let value = times.value_at_percentile(percentile) as f64 / 1000.0;
            let goal = p99.filter(|_| percentile > 98.0).map(Goal::AtMost);
            self.findings
                .add(scenario, format!("{what}, p{percentile}"), value, "ms", goal);
        }
    }
}
