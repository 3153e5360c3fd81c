//! The project's own commands. `cargo xtask serve` runs the product, `cargo xtask test` proves it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its terminal"
)]

mod ci;
mod links;
mod page;
mod prerequisite;
mod serve;
mod stamp;
mod step;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the page if its sources changed, build the release binary and run it.
    ///
    /// Everything after `--` goes to `tidings serve`, for example
    /// `cargo xtask serve -- --listen 127.0.0.1:4000`.
    Serve {
        /// Arguments for `tidings serve`.
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Run every test: Rust, documentation, page, DirectLineJS and the two windows in Chromium.
    ///
    /// What is missing on this machine is installed on Debian as root, or named with its exact command.
    Test,
    /// What continuous integration runs: test, rustfmt, clippy, cargo-deny, rustdoc, links.
    Ci,
    /// Build only the page (console/dist), if its sources changed.
    Page,
    /// Check that every relative link in the Markdown files leads somewhere.
    Links,
}

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve { args } => serve::run(&args),
        Command::Test => test::run(),
        Command::Ci => ci::run(),
        Command::Page => page::build(),
        Command::Links => links::check(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
