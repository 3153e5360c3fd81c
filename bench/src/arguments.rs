//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures the delivery engine end to end.
#[derive(Parser)]
#[command(name = "tidings-bench", disable_version_flag = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run measurements and print a table.
    Run(Options),
    /// Be the channel of a measurement: started by `run`, ends with it.
    #[command(hide = true)]
    Channel,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    pub(crate) scenarios: Vec<Scenario>,
    /// Which database.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    pub(crate) store: Store,
    /// The server binary; that beside this program if not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) tidings: Option<PathBuf>,
    /// Where databases are made; the system's temporary folder if not given.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// How long each measurement takes, in seconds, after a warm-up of a fifth of it.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,
    /// How many conversations messages go to.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) conversations: u64,
    /// Messages of one batch.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) batch: u64,
    /// Callers that enqueue batches at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) callers: u64,
    /// Connections for requests with one message, and of the bare POST loop.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub(crate) connections: u64,
    /// Messages that may be owed and not yet posted while a closed loop runs.
    #[arg(long, default_value_t = 5000)]
    pub(crate) window: u64,
    /// Timers that are pending in `timers` and `idle`.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) pending: u64,
    /// Messages of the blocked conversation in `blocked`.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) blocked: u64,
    /// Messages per second in `open` and `timers`; in `open`, half of what `single` reached if not given.
    #[arg(long)]
    pub(crate) rate: Option<u64>,
    /// Print JSON in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Say what is being done, on standard error.
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Scenario {
    /// POSTs to the channel and nothing else: what the machine can do.
    Bare,
    /// Batches enqueued in process, closed loop.
    Process,
    /// Batches enqueued through the API, closed loop.
    Batch,
    /// One message a request through the API, closed loop.
    Single,
    /// One message a request at a fixed rate, latency from the intended time.
    Open,
    /// One conversation with many blocked messages beside the others.
    Blocked,
    /// Messages that come due while many more are pending.
    Timers,
    /// Nothing but pending timers.
    Idle,
    /// `done` to the proactive message, on a server that does nothing else.
    Jobs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}
