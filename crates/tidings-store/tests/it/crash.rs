//! What was answered survives the process, however it ends.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tidings_store::{Database, DatabaseOptions, OpenError, StoreError, Tx};

use crate::notes::{self, NOTES, insert};

const CHILD: &str = "TIDINGS_STORE_TEST_CRASH_DATABASE";

/// Not a test of its own: what the process to be killed runs. Prints a line for each answered write.
#[test]
fn a_process_that_writes_until_it_is_killed() {
    let Some(path) = env::var_os(CHILD) else { return };
    let database = Database::open(DatabaseOptions::new(path).component(NOTES)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..16 {
            let database = database.clone();
            writers.spawn(async move {
                for number in 0_u64.. {
                    let pair = format!("{writer}/{number}");
                    let (one, two) = (format!("{pair} one"), format!("{pair} two"));
                    let both = move |tx: &Tx<'_>| insert(tx, &one).and_then(|()| insert(tx, &two));
                    database.write(both).await.unwrap();
                    writeln!(stdout(), "kept {pair}").unwrap();
                }
            });
        }
        writers.join_all().await;
    });
}

fn start(path: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "crash::a_process_that_writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn every_answered_write_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidings.db");
    let mut kept: Vec<String> = Vec::new();
    for _ in 0..3 {
        let before = kept.len();
        let mut child = start(&path);
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in answers {
            // The last line may be cut by the kill, and libtest prints its own.
            if let Some(pair) = line.unwrap().strip_prefix("kept ") {
                kept.push(pair.to_owned());
            }
            if kept.len() == before + 300 {
                let error = Database::open(DatabaseOptions::new(&path).component(NOTES)).unwrap_err();
                let holder = format!("process {}", child.id());
                assert!(
                    matches!(&error, OpenError::Locked { holder: named, .. } if *named == holder),
                    "{error}"
                );
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let whole = kept.pop().unwrap();
        let database = Database::open(DatabaseOptions::new(&path).component(NOTES)).unwrap();
        let notes = notes::all(&database).await;
        let count = |text: String| notes.iter().filter(|note| **note == text).count();
        for pair in &kept {
            assert!(
                count(format!("{pair} one")) > 0 && count(format!("{pair} two")) > 0,
                "{pair} was lost"
            );
        }
        let ones = notes.iter().filter(|note| note.ends_with("one")).count();
        assert_eq!(ones * 2, notes.len(), "no half of a pair stays");
        drop(whole);
        database.close().await;
    }
}

#[tokio::test]
async fn files_copied_from_under_a_running_database_hold_every_answered_write() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(notes::options(&folder)).unwrap();
    for number in 0..50 {
        notes::add(database.clone(), number.to_string()).await.unwrap();
    }
    let unfinished: Result<(), StoreError> = database
        .write(|tx| {
            insert(tx, "unfinished")?;
            Err(StoreError::message("never"))
        })
        .await;
    unfinished.unwrap_err();
    let copy = tempfile::tempdir().unwrap();
    for file in ["tidings.db", "tidings.db-wal"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
    }
    let reopened = Database::open(notes::options(&copy)).unwrap();
    let expected: Vec<String> = (0..50).map(|number: u32| number.to_string()).collect();
    assert_eq!(notes::all(&reopened).await, expected);
}
