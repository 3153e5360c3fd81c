//! This machine's clock beside those of the servers that were asked.

use jiff::Timestamp;

use super::Finding;

/// What tokens may be off by (protocol, section 3.1).
const TOLERATED_S: i64 = 300;
/// A clock that is set over the network is never off by so much.
const SUSPICIOUS_S: i64 = 60;
const FIX: &str = "set the clock over the network (NTP)";

/// The times by the servers and by this machine.
pub(super) fn check(dates: &[(Timestamp, Timestamp)]) -> Finding {
    // The least: an answer may have been on its way for long, or come from a cache.
    let least = dates
        .iter()
        .map(|(theirs, ours)| ours.as_second() - theirs.as_second())
        .min_by_key(|off| off.abs());
    let Some(off) = least else {
        return Finding::skipped("clock", "nobody was asked who has another one");
    };
    let says = match off {
        0 => "the same second as the servers that were asked".to_owned(),
        1.. => format!("{off} s ahead of the servers that were asked"),
        _ => format!("{} s behind the servers that were asked", off.abs()),
    };
    match off.abs() {
        apart if apart <= SUSPICIOUS_S => Finding::ok("clock", says),
        apart if apart <= TOLERATED_S => Finding::warning(
            "clock",
            format!("{says}; tokens may be off by {TOLERATED_S} s"),
            FIX,
        ),
        _ => Finding::failed(
            "clock",
            format!("{says}; with more than {TOLERATED_S} s, good tokens are refused"),
            FIX,
        ),
    }
}
