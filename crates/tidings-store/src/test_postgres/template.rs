//! A fresh data folder. `initdb` takes a second, a copy of what it made a fraction of that: it is kept beside the tests.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::programs::Programs;
use super::user::ServerUser;

/// Makes the data folder `data`.
pub(super) fn create(data: &Path, programs: &Programs, user: ServerUser) {
    let Some(place) = place() else {
        return initdb(data, programs, user);
    };
    let version = programs.version();
    let kept = place.join(&version);
    if !is_whole(&kept) {
        let lock =
            File::create(place.join(format!("{version}-lock"))).expect("a lock beside the tests can be made");
        lock.lock().expect("a lock can be waited for");
        if !is_whole(&kept) {
            initdb(data, programs, user);
            let new = place.join(format!("{version}-new"));
            let _ = fs::remove_dir_all(&new);
            copy(data, &new, ServerUser::Ourselves).expect("a data folder can be copied");
            fs::rename(&new, &kept).expect("a copy can be renamed");
            return;
        }
    }
    copy(&kept, data, user).expect("the kept data folder can be copied");
}

/// The folder of the test programs, which goes with `cargo clean`.
fn place() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let place = program.parent()?.join("tidings-test-postgres");
    fs::create_dir_all(&place).ok()?;
    Some(place)
}

fn is_whole(kept: &Path) -> bool {
    kept.join("PG_VERSION").is_file()
}

fn initdb(data: &Path, programs: &Programs, user: ServerUser) {
    let output = user
        .command(programs.path("initdb"))
        .args([
            "--username=tidings",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .args(["--wal-segsize=1", "--no-sync", "--no-instructions", "--pgdata"])
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .expect("initdb runs");
    assert!(
        output.status.success(),
        "initdb failed in {}: {}",
        data.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn copy(from: &Path, to: &Path, user: ServerUser) -> io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    user.own(to);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, user)?;
        } else {
            fs::copy(entry.path(), &target)?;
            user.own(&target);
        }
    }
    Ok(())
}
