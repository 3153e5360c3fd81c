use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::holds_server;

/// Where PostgreSQL's server programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    pub(super) fn find() -> Programs {
        let named = env::var_os("TIDINGS_TEST_POSTGRES_BIN").map(PathBuf::from);
        if let Some(folder) = &named {
            assert!(
                holds_server(folder),
                "TIDINGS_TEST_POSTGRES_BIN names {}, which does not hold initdb and postgres",
                folder.display()
            );
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folder = named
            .into_iter()
            .chain(env::split_paths(&path))
            .chain(installed())
            .find(|folder| holds_server(folder));
        let folder = folder.unwrap_or_else(|| {
            panic!(
                "PostgreSQL's server programs (initdb, postgres) are missing: on Debian run `apt-get install postgresql`, \
                 on macOS `brew install postgresql@17`, or name their folder in TIDINGS_TEST_POSTGRES_BIN"
            )
        });
        Programs { folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The version, as part of a file name.
    pub(super) fn version(&self) -> String {
        let output = Command::new(self.path("postgres"))
            .arg("--version")
            .output()
            .expect("postgres --version runs");
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim()
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() || letter == '.' {
                    letter
                } else {
                    '-'
                }
            })
            .collect()
    }
}

/// Where packages put them, the newest version first.
fn installed() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
        .iter()
        .filter_map(|place| fs::read_dir(Path::new(place)).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path
                .file_name()?
                .to_str()?
                .trim_start_matches("postgresql@")
                .to_owned();
            Some((name.parse().ok()?, path.join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}
