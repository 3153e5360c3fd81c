//! `cargo xtask serve`: the product, from a fresh clone to an open address.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::page;
use crate::step::{Steps, cargo};

/// Builds what changed and runs `tidings serve` until it ends.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    page::build_as_steps(&mut steps)?;
    steps.loud(
        "tidings: cargo build --release",
        &mut cargo(&["build", "--release", "--package", "tidings-cli"]),
    )?;
    let binary = crate::target()
        .join("release")
        .join(format!("tidings{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&binary);
    command.arg("serve").args(args);
    println!();
    // The child shares the terminal, so Ctrl-C reaches it, and it shuts down in its own time.
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let status = child.wait()?;
    if status.success() {
        Ok(())
    } else {
        bail!("tidings serve ended with {status}")
    }
}
