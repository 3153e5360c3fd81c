//! What a run needs beside the Rust toolchain: found, installed where that is safe, or named with its command.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::step::{Steps, cargo};

const NODE: (u32, u32) = (20, 19);
const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";

/// Node.js, new enough for Vite, and npm.
pub(crate) fn node() -> Result<()> {
    let (major, minor) = NODE;
    let how = format!(
        "install Node.js {major}.{minor} or newer with npm: on macOS `brew install node@{major}`, elsewhere see https://nodejs.org/en/download"
    );
    let Some(version) = output("node", &["--version"]) else {
        bail!("Node.js is missing: the page and the client tests need it; {how}");
    };
    if !at_least(&version, NODE) {
        bail!("Node.js {} is too old: {how}", version.trim());
    }
    if output("npm", &["--version"]).is_none() {
        bail!("npm is missing; {how}");
    }
    Ok(())
}

/// Chromium, for the tests that open the page.
pub(crate) fn chromium(steps: &mut Steps) -> Result<()> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there = || {
        std::env::var_os("CHROMIUM").is_some()
            || names.iter().any(|name| output(name, &["--version"]).is_some())
            || Path::new("/Applications/Chromium.app").exists()
            || Path::new("/Applications/Google Chrome.app").exists()
    };
    if there() {
        return Ok(());
    }
    let by_hand = "apt-get update && apt-get install --yes chromium";
    if !(is_root() && output("apt-get", &["--version"]).is_some()) {
        bail!(
            "Chromium is missing: the tests open the page in it; on Debian run `sudo sh -c '{by_hand}'`, on macOS `brew install --cask chromium`"
        );
    }
    steps.quiet(
        "chromium: apt-get install",
        Command::new("sh").args(["-c", by_hand]),
    )?;
    if there() {
        Ok(())
    } else {
        bail!("Chromium was installed, but cannot be started: run `chromium --version`")
    }
}

/// PostgreSQL's server programs, for the tests that start a server of their own.
pub(crate) fn postgresql(steps: &mut Steps) -> Result<()> {
    let there = || {
        std::env::var_os("TIDINGS_TEST_POSTGRES_BIN").is_some()
            || ["initdb", "postgres"]
                .iter()
                .all(|name| output(name, &["--version"]).is_some())
            || ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
                .iter()
                .any(|place| holds_postgresql(Path::new(place)))
    };
    if there() {
        return Ok(());
    }
    // No server of the system's: nothing here would use it.
    let by_hand = "mkdir -p /etc/postgresql-common/createcluster.d \
                   && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/tidings.conf \
                   && apt-get update && apt-get install --yes postgresql";
    if !(is_root() && output("apt-get", &["--version"]).is_some()) {
        bail!(
            "PostgreSQL is missing: the tests start servers of their own; on Debian run `sudo apt-get install postgresql`, on macOS `brew install postgresql@17`"
        );
    }
    steps.quiet(
        "postgresql: apt-get install",
        Command::new("sh").args(["-c", by_hand]),
    )?;
    if there() {
        Ok(())
    } else {
        bail!(
            "PostgreSQL was installed, but is not in /usr/lib/postgresql: name the folder of initdb in TIDINGS_TEST_POSTGRES_BIN"
        )
    }
}

/// Whether a folder such as `15` or `postgresql@17` in `place` has the server's programs.
fn holds_postgresql(place: &Path) -> bool {
    let Ok(versions) = std::fs::read_dir(place) else {
        return false;
    };
    versions.flatten().any(|version| {
        let programs = version.path().join("bin");
        programs.join("initdb").is_file() && programs.join("postgres").is_file()
    })
}

/// cargo-nextest, which runs the tests.
pub(crate) fn nextest(steps: &mut Steps) -> Result<()> {
    cargo_tool(steps, "nextest", "cargo-nextest", NEXTEST)
}

/// cargo-deny, which checks licences, sources and duplicates.
pub(crate) fn deny(steps: &mut Steps) -> Result<()> {
    cargo_tool(steps, "deny", "cargo-deny", DENY)
}

fn cargo_tool(steps: &mut Steps, command: &str, package: &str, version: &str) -> Result<()> {
    let there = || {
        cargo(&[command, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if there() {
        return Ok(());
    }
    let package = format!("{package}@{version}");
    steps
        .quiet(
            &format!("cargo install {package}"),
            &mut cargo(&["install", "--locked", &package]),
        )
        .with_context(|| format!("install it by hand with `cargo install --locked {package}`"))
}

fn is_root() -> bool {
    output("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether `v20.19.1` is at least (20, 19).
fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut parts = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::{at_least, holds_postgresql};

    #[test]
    fn finds_the_programs_of_any_version() {
        let place = tempfile::tempdir().unwrap();
        assert!(!holds_postgresql(&place.path().join("nowhere")));
        let programs = place.path().join("15/bin");
        std::fs::create_dir_all(&programs).unwrap();
        std::fs::write(programs.join("initdb"), "").unwrap();
        assert!(!holds_postgresql(place.path()), "the client's alone do not do");
        std::fs::write(programs.join("postgres"), "").unwrap();
        assert!(holds_postgresql(place.path()));
    }

    #[test]
    fn compares_versions_as_numbers() {
        assert!(at_least("v20.19.0\n", (20, 19)));
        assert!(at_least("v20.20.2", (20, 19)));
        assert!(at_least("v22.0.0", (20, 19)));
        assert!(!at_least("v20.9.0", (20, 19)));
        assert!(!at_least("v18.20.4", (20, 19)));
        assert!(!at_least("nonsense", (20, 19)));
    }
}
