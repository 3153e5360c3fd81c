//! `tidings backup`, and that what it made serves.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{Served, failure, output, tidings};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

/// A database with a key in it, which no server has open.
async fn create_database(folder: &Path) {
    let mut command = tidings(folder);
    let key = ["keys", "create", "--scope", "jobs:read"];
    command.args(key).args(["--database", "tidings.db"]);
    assert!(output(&mut command).await.status.success());
}

async fn backed_up(folder: &Path, arguments: &[&str]) -> String {
    let output = output(tidings(folder).arg("backup").args(arguments)).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn what_was_backed_up_beside_a_running_server_serves() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    assert_eq!(served.say("run").await.0, 200);
    let printed = backed_up(folder.path(), &["--to", "copy.db", "--json"]).await;
    let told: Value = serde_json::from_str(&printed).unwrap();
    let copy = folder.path().join("copy.db");
    assert_eq!(told["bytes"], fs::metadata(&copy).unwrap().len());
    assert_eq!(told["file"], copy.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(
        told["pages"].as_u64().unwrap() * 4096,
        told["bytes"].as_u64().unwrap()
    );
    assert!(told["milliseconds"].is_u64(), "{told}");
    // What comes later is not in it.
    assert_eq!(served.say("run").await.0, 200);
    assert_eq!(served.jobs().await["total"], 2);
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
    // Restored as docs/operations.md says.
    let away = folder.path().join("away");
    fs::create_dir(&away).unwrap();
    for name in names(folder.path()) {
        if name.starts_with("tidings.db") && name != "tidings.db-lock" {
            fs::rename(folder.path().join(&name), away.join(&name)).unwrap();
        }
    }
    fs::copy(&copy, folder.path().join("tidings.db")).unwrap();
    let served = Served::start(&folder).await;
    assert_eq!(served.jobs().await["total"], 1);
    assert_eq!(served.say("run").await.0, 200);
    assert_eq!(served.jobs().await["total"], 2);
}

#[tokio::test]
async fn a_backup_without_a_name_is_beside_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&folder).await;
    served.signal("TERM").await;
    assert_eq!(served.ended().await, Some(0));
    let elsewhere = tempfile::tempdir().unwrap();
    let database = folder.path().join("tidings.db");
    let line = backed_up(elsewhere.path(), &["--database", database.to_str().unwrap()]).await;
    assert!(
        line.contains(" pages, copied and checked in ") && line.ends_with(" s.\n"),
        "{line}"
    );
    assert_eq!(names(elsewhere.path()), [""; 0]);
    let copies: Vec<String> = names(folder.path())
        .into_iter()
        .filter(|name| name.starts_with("tidings-20") && name.ends_with("Z.db"))
        .collect();
    assert_eq!(copies.len(), 1, "{:?}", names(folder.path()));
    assert!(line.contains(&copies[0]), "{line}");
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_and_nothing_left() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let told = async |arguments: &[&str]| failure(tidings(folder).arg("backup").args(arguments)).await;
    let (code, line) = told(&[]).await;
    assert!(code == 66 && line.contains("with --database"), "{code} {line}");
    let (code, line) = told(&["--database", "mysql://db/tidings"]).await;
    assert_eq!(code, 78, "{line}");
    create_database(folder).await;
    fs::write(folder.join("there.db"), "precious").unwrap();
    let before = names(folder);
    let (code, line) = told(&["--to", "there.db"]).await;
    assert!(code == 73 && line.ends_with("with --force"), "{code} {line}");
    assert_eq!(fs::read_to_string(folder.join("there.db")).unwrap(), "precious");
    let (code, line) = told(&["--to", "."]).await;
    assert!(code == 73 && line.contains("is not a file"), "{code} {line}");
    let (code, line) = told(&["--to", "missing/copy.db"]).await;
    assert!(code == 73 && line.contains("create it"), "{code} {line}");
    let (code, line) = told(&["--to", "tidings.db", "--force"]).await;
    assert!(
        code == 73 && line.contains("choose another file"),
        "{code} {line}"
    );
    assert_eq!(names(folder), before);
    backed_up(folder, &["--to", "there.db", "--force"]).await;
    assert!(
        fs::read(folder.join("there.db"))
            .unwrap()
            .starts_with(b"SQLite format 3\0")
    );
}

/// A shell's limit on the size of files, 64 KiB, is as a disk that takes no more.
#[cfg(unix)]
#[tokio::test]
async fn a_disk_that_takes_no_more_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    create_database(folder).await;
    let before = names(folder);
    let mut command = tokio::process::Command::new("sh");
    command
        .current_dir(folder)
        .env_remove("TIDINGS_DATABASE")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_tidings"), "backup", "--to", "copy.db"]);
    let (code, line) = failure(&mut command).await;
    assert!(code == 73 || code == 74, "{code} {line}");
    assert!(line.contains("copy.db"), "{line}");
    assert_eq!(names(folder), before);
}

#[tokio::test]
async fn postgresql_makes_its_own_copies() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tidings(folder.path());
    command
        .args(["backup", "--to", "copy.dump"])
        .env("TIDINGS_DATABASE", "postgres://me:sesame@db/tidings");
    let (code, line) = failure(&mut command).await;
    assert_eq!(code, 1, "{line}");
    assert!(
        line.contains(
            "pg_dump --format=custom --schema=tidings --file=copy.dump --dbname=postgres://me@db/tidings"
        ) && !line.contains("sesame"),
        "{line}"
    );
}

#[tokio::test]
async fn the_help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(tidings(folder.path()).args(["backup", "--help"])).await;
    let help = String::from_utf8(output.stdout).unwrap();
    for part in [
        "--to <FILE>",
        "--force",
        "--json",
        "To restore:",
        "Examples:",
        "pg_dump",
        "Exit codes:",
    ] {
        assert!(help.contains(part), "{part} is missing in {help}");
    }
}
