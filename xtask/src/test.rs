//! `cargo xtask test`: every test there is.

use std::process::Command;

use anyhow::Result;

use crate::step::{Steps, cargo, npm};
use crate::{page, prerequisite};

/// What is off by default and tested too: the load program.
pub(crate) const FEATURES: &str = "tidings-bench/private-postgres";

/// The suite that has just run on SQLite and runs on PostgreSQL, too: nearly every statement of the engine is in it.
const ON_POSTGRES: &str = "binary(it) & package(tidings-proactive)";

/// Runs every test and prints what each part took.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    let done = run_as_steps(&mut steps);
    steps.summary();
    done
}

/// The same, as steps of a longer run.
pub(crate) fn run_as_steps(steps: &mut Steps) -> Result<()> {
    prerequisite::node()?;
    prerequisite::chromium(steps)?;
    prerequisite::postgresql(steps)?;
    prerequisite::nextest(steps)?;

    // The page first: the server embeds it.
    page::build_as_steps(steps)?;
    steps.loud("page: types", &mut npm("console", &["run", "check", "--silent"]))?;
    steps.loud("page: tests", &mut npm("console", &["test", "--silent"]))?;

    steps.loud("rust: tests", &mut nextest(&[]))?;
    // The whole workspace again, so that nothing is built anew for other features; the filter chooses.
    steps.loud(
        "rust: the engine on PostgreSQL",
        nextest(&["-E", ON_POSTGRES]).env("TIDINGS_TEST_DATABASE", "postgres"),
    )?;
    steps.loud(
        "rust: documentation tests",
        &mut cargo(&["test", "--workspace", "--doc", "--quiet"]),
    )?;

    steps.loud(
        "tidings: release build",
        &mut cargo(&["build", "--release", "--package", "tidings-cli"]),
    )?;
    page::install(steps, "interop")?;
    let binary = crate::target().join("release").join("tidings");
    steps.loud(
        "interop: real clients",
        npm("interop", &["test", "--silent"]).env("TIDINGS_BIN", binary),
    )
}

/// Tests of the whole workspace, with its features for tests.
fn nextest(further: &[&str]) -> Command {
    let mut command = cargo(&["nextest", "run", "--workspace", "--features", FEATURES]);
    command.args(further);
    command
}
