//! What a process has used, from `/proc`; nothing where there is none.

use std::fs::read_to_string;
use std::time::Duration;

/// The unit of processor times in `/proc`, which is the same on every Linux.
const TICKS_PER_SECOND: u64 = 100;
const PAGE_BYTES: u64 = 4096;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// Bytes that it had written to storage.
    pub(crate) written: u64,
}

impl Usage {
    /// Of the process with this id; of this one without.
    pub(crate) fn of(pid: Option<u32>) -> Option<Self> {
        let stat = read(pid, "stat")?;
        let ticks = field(&stat, 13)? + field(&stat, 14)?;
        let io = read(pid, "io").unwrap_or_default();
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        Some(Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            written: written.unwrap_or_default(),
        })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            written: self.written.saturating_sub(before.written),
        }
    }
}

/// Bytes of memory that the process holds.
pub(crate) fn resident(pid: Option<u32>) -> Option<u64> {
    let statm = read(pid, "statm")?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// User and system time of a process and all its children, those that have ended too.
pub(crate) fn family_cpu(pid: u32) -> Option<Duration> {
    let stat = read(Some(pid), "stat")?;
    let mut ticks: u64 = (13..=16).filter_map(|index| field(&stat, index)).sum();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Some(stat) = read(Some(child), "stat") else {
            continue;
        };
        if field(&stat, 3) == Some(u64::from(pid)) {
            ticks += field(&stat, 13).unwrap_or_default() + field(&stat, 14).unwrap_or_default();
        }
    }
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

fn read(pid: Option<u32>, file: &str) -> Option<String> {
    let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    read_to_string(format!("/proc/{process}/{file}")).ok()
}

/// A field of `stat`, counted from 0. The name, which may have spaces, ends with the last parenthesis.
fn field(stat: &str, index: usize) -> Option<u64> {
    let rest = stat.rsplit_once(')')?.1;
    rest.split_whitespace().nth(index - 2)?.parse().ok()
}

#[test]
fn a_field_is_found_behind_any_name() {
    let stat = "7 (a ) b) S 4 5 6 7 8 9 10 11 12 13 14 15 16";
    assert_eq!(field(stat, 3), Some(4));
    assert_eq!(field(stat, 13), Some(14));
    assert!(Usage::of(None).is_none_or(|usage| usage.cpu < Duration::from_secs(3600)));
}
