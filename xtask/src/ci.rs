//! `cargo xtask ci`: what continuous integration runs, on any machine.

use anyhow::Result;

use crate::step::{Steps, cargo};
use crate::{links, prerequisite, test};

/// The cheap checks first, then every test.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::default();
    let done = all(&mut steps);
    steps.summary();
    done
}

fn all(steps: &mut Steps) -> Result<()> {
    links::check()?;
    steps.loud("rustfmt", &mut cargo(&["fmt", "--all", "--", "--check"]))?;
    prerequisite::deny(steps)?;
    // Advisories are left out: their database is not reachable from every build machine.
    steps.loud(
        "cargo deny",
        &mut cargo(&["deny", "check", "bans", "licenses", "sources"]),
    )?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        test::FEATURES,
        "--",
        "--deny",
        "warnings",
    ];
    steps.loud("clippy", &mut cargo(&clippy))?;
    let doc = ["doc", "--workspace", "--no-deps"];
    steps.loud("rustdoc", cargo(&doc).env("RUSTDOCFLAGS", "--deny warnings"))?;
    test::run_as_steps(steps)
}
