//! `cargo xtask test`: every test there is.

use anyhow::Result;

use crate::step::{Steps, cargo, npm};
use crate::{page, prerequisite};

/// What is off by default and tested too: the load program.
pub(crate) const FEATURES: &str = "tidings-bench/private-postgres";

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

    steps.loud(
        "rust: tests",
        &mut cargo(&["nextest", "run", "--workspace", "--features", FEATURES]),
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
