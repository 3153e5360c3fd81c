//! `tidings backup`: a copy of the database, while a server runs or without one.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;
use tidings_server::{Config, Flags, StartError, back_up_database};
use tidings_store::{Backup, BackupProgress, BackupWatch, DatabaseOptions};

use crate::{Failure, pg_dump, print, runtime};

const HELP: &str = "\
The copy holds everything that was committed before it began. A server that runs goes on meanwhile; none needs to. The
copy is checked, and has its name only when it is whole, so a file of that name is always a good one. It holds secrets
(chats, references, hashes of API keys): its owner alone may read it.

To restore: stop the server, move tidings.db, tidings.db-wal and tidings.db-shm away together, copy the backup to
tidings.db, start the server. docs/operations.md says more.

Examples:
  tidings backup                              beside the database, named after it and the time
  tidings backup --to /backup/tidings.db --force
                                              always the same file, replaced at once when the new copy is whole
  tidings backup --json                       file, bytes, pages and milliseconds, for scripts

For PostgreSQL the command names the pg_dump command to run, and ends with 1.

Exit codes:
  0    the copy is there
  2    wrong arguments
  65   the database is damaged, or of a newer version
  66   there is no such database
  73   the copy cannot be written, or its name is taken
  74   the disk is full
  75   another program keeps the database locked
  78   wrong configuration
  130  broken off by Ctrl-C; nothing is left of the copy
  1    anything else";

/// Flags of `tidings backup`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct BackUp {
    /// The file to write [default: beside the database, named after it and the time]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Replace that file if it is there
    #[arg(long)]
    force: bool,
    /// The database to copy [default: the one that this directory's configuration names]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The file with settings [default: tidings.toml if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON in place of a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &BackUp) -> Result<(), Failure> {
    let config = Config::load(&Flags {
        database: arguments.database.clone(),
        config: arguments.config.clone(),
        ..Flags::default()
    })?;
    let now = Timestamp::now();
    if let Some(url) = pg_dump::Url::of(&config.database) {
        let to = arguments
            .to
            .clone()
            .unwrap_or_else(|| named("tidings", now, "dump"));
        return Err(Failure::Other(url.advice(&to)));
    }
    let target = match &arguments.to {
        Some(to) => to.clone(),
        None => beside(&config, now)?,
    };
    let began = Instant::now();
    let backup = copied(config, target, arguments.force)?;
    let took = began.elapsed();
    print(&match arguments.json {
        true => as_json(&backup, took),
        false => as_line(&backup, took),
    })
}

/// Copies, with a bar for people, until Ctrl-C.
fn copied(config: Config, target: PathBuf, overwrite: bool) -> Result<Backup, Failure> {
    let stopped = Arc::new(AtomicBool::new(false));
    let bar = bar();
    let watch: BackupWatch = {
        let (stopped, bar) = (Arc::clone(&stopped), bar.clone());
        Arc::new(move |progress| {
            show(&bar, progress);
            match stopped.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    };
    let backup = runtime()?.block_on(async {
        let copy = move || back_up_database(&config, &target, overwrite, &watch);
        let mut copying = tokio::task::spawn_blocking(copy);
        tokio::select! {
            done = &mut copying => return done,
            Ok(()) = tokio::signal::ctrl_c() => stopped.store(true, Ordering::Relaxed),
        }
        copying.await
    });
    bar.finish_and_clear();
    match backup {
        Ok(backup) => Ok(backup?),
        Err(panicked) => Err(Failure::Other(format!("the copy was not made: {panicked}"))),
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {percent:>3}% {eta}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn show(bar: &ProgressBar, progress: BackupProgress) {
    match progress {
        BackupProgress::Copying { done, of } => {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_message("copying");
        }
        _ => bar.set_message("checking"),
    }
}

/// Beside the database, as `tidings-20261127T230000Z.db`.
fn beside(config: &Config, now: Timestamp) -> Result<PathBuf, Failure> {
    let options = DatabaseOptions::from_url(&config.database).map_err(StartError::from)?;
    let path = options.path().unwrap_or(Path::new("tidings.db"));
    let stem = path
        .file_stem()
        .map_or("tidings".into(), |stem| stem.to_string_lossy());
    Ok(path.with_file_name(named(&stem, now, "db")))
}

fn named(stem: &str, now: Timestamp, ending: &str) -> PathBuf {
    format!("{stem}-{}.{ending}", now.strftime("%Y%m%dT%H%M%SZ")).into()
}

fn as_line(backup: &Backup, took: Duration) -> String {
    format!(
        "{} holds {} in {} pages, copied and checked in {:.1} s.\n",
        backup.path.display(),
        BinaryBytes(backup.bytes),
        backup.pages,
        took.as_secs_f64(),
    )
}

fn as_json(backup: &Backup, took: Duration) -> String {
    let value = json!({
        "file": backup.path.to_string_lossy(),
        "bytes": backup.bytes,
        "pages": backup.pages,
        "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_without_a_name_is_named_after_the_time() {
        let now = "2026-11-27T23:05:11.5Z".parse().unwrap();
        assert_eq!(
            named("tidings", now, "db"),
            PathBuf::from("tidings-20261127T230511Z.db")
        );
    }
}
