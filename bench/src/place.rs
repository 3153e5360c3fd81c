//! Where the database of a measurement is, and what is written there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tidings_store::test_postgres::{TestPostgres, TestPostgresOptions};

use crate::arguments::Store;
use crate::process::{Usage, family_cpu};

/// Databases of one kind, a new one for each measurement.
pub(crate) struct Place {
    store: Store,
    folder: Option<PathBuf>,
    server: Option<TestPostgres>,
}

/// One database, empty at first. It goes with the value.
pub(crate) struct Home {
    pub(crate) url: String,
    _folder: Option<TempDir>,
}

/// What was used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// By the process of the engine.
    pub(crate) usage: Usage,
    /// By the database server, where there is one.
    server_cpu: Duration,
    /// Bytes of write-ahead log of the database server.
    wal: u64,
}

impl Place {
    pub(crate) fn new(store: Store, folder: Option<PathBuf>) -> Self {
        let server = match store {
            Store::Sqlite => None,
            // Its own, and as durable as one that is in use.
            Store::Postgres => Some(
                TestPostgresOptions::default()
                    .durable()
                    .setting("shared_buffers=256MB")
                    .setting("max_wal_size=4GB")
                    .start(),
            ),
        };
        Self {
            store,
            folder,
            server,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.store.name()
    }

    pub(crate) fn home(&self) -> Result<Home> {
        if let Some(server) = &self.server {
            return Ok(Home {
                url: server.url(),
                _folder: None,
            });
        }
        let folder = match &self.folder {
            Some(folder) => TempDir::with_prefix_in("tidings-bench-", folder),
            None => TempDir::with_prefix("tidings-bench-"),
        }
        .context("cannot make a folder for the database")?;
        Ok(Home {
            url: format!("sqlite://{}", folder.path().join("tidings.db").display()),
            _folder: Some(folder),
        })
    }

    /// What the engine's process (this one, without an id) and the database server have used.
    pub(crate) fn meter(&self, pid: Option<u32>) -> Result<Meter> {
        Ok(Meter {
            usage: Usage::of(pid).unwrap_or_default(),
            server_cpu: self.server_pid().and_then(family_cpu).unwrap_or_default(),
            wal: self.position().unwrap_or_default(),
        })
    }

    /// Has the server write what it still keeps in memory, so that a measurement does not pay for what came before it.
    /// SQLite does so by itself, a thousand pages at a time.
    pub(crate) fn rest(&self) {
        if let Some(server) = &self.server {
            ask(server, "CHECKPOINT");
        }
    }

    /// Bytes for each message, and of which processor time.
    pub(crate) fn server_cpu(&self, from: Meter, to: Meter) -> Option<Duration> {
        self.server
            .is_some()
            .then(|| to.server_cpu.saturating_sub(from.server_cpu))
    }

    /// Bytes that were written for good between two moments: write-ahead log on PostgreSQL; on SQLite everything that
    /// the process had written, the log and the file.
    pub(crate) fn written(&self, from: Meter, to: Meter) -> u64 {
        match self.server {
            Some(_) => to.wal.saturating_sub(from.wal),
            None => to.usage.since(from.usage).written,
        }
    }

    /// The database server's sum of records by kind between two moments; nothing for SQLite.
    pub(crate) fn breakdown(&self, from: Meter, to: Meter) -> Result<Option<String>> {
        let Some(server) = &self.server else {
            return Ok(None);
        };
        // What was written last has to be on the disk to be read from there.
        ask(server, "SELECT pg_switch_wal()");
        let output = Command::new(self.program("pg_waldump"))
            .arg("--stats=record")
            .arg("--path")
            .arg(data(server).join("pg_wal"))
            .arg("--start")
            .arg(lsn(from.wal))
            .arg("--end")
            .arg(lsn(to.wal))
            .output()
            .context("cannot run pg_waldump")?;
        if !output.status.success() {
            bail!("pg_waldump: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// A program of the server's, which on Debian is beside it and not in `PATH`.
    fn program(&self, name: &str) -> PathBuf {
        let server = self
            .server_pid()
            .and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok());
        server.map_or_else(|| PathBuf::from(name), |server| server.with_file_name(name))
    }

    fn position(&self) -> Option<u64> {
        let position = ask(
            self.server.as_ref()?,
            "SELECT (pg_current_wal_lsn() - '0/0')::bigint",
        )?;
        position.parse().ok()
    }

    fn server_pid(&self) -> Option<u32> {
        let file = data(self.server.as_ref()?).join("postmaster.pid");
        std::fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
    }
}

/// The first column of the first row. The server waits for it on a runtime of its own, which must not be in another.
fn ask(server: &TestPostgres, sql: &str) -> Option<String> {
    tokio::task::block_in_place(|| server.sql(sql))
}

fn data(server: &TestPostgres) -> PathBuf {
    Path::new(&server.folder()).join("data")
}

/// A position in the write-ahead log as PostgreSQL spells it.
fn lsn(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}

#[test]
fn a_position_is_spelled_in_two_halves() {
    assert_eq!(lsn(0x16_b374_d848), "16/B374D848");
    assert_eq!(lsn(1), "0/1");
}
