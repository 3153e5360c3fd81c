//! The load program: what the engine does end to end, beside a goal for each number. See README.md.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its terminal"
)]

mod arguments;
mod channel;
mod connection;
mod engine;
mod finding;
mod load;
mod moment;
mod place;
mod process;
mod scenario;
mod served;
mod tally;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Channel => channel::run().await,
        Command::Run(options) => scenario::run(options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidings-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
