//! Times as people read them.

use jiff::{SignedDuration, Timestamp};

/// How long ago, or in how long: `3 min ago`, `in 2 h`.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let apart = now.duration_since(at);
    match apart.abs().as_secs() {
        0 => "now".to_owned(),
        _ if apart.is_negative() => format!("in {}", rough(-apart)),
        _ => format!("{} ago", rough(apart)),
    }
}

/// One unit is enough to know how long it was.
fn rough(duration: SignedDuration) -> String {
    match duration.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A length of time, to three digits: `0.21 s`, `4.9 s`, `3 min 20 s`.
pub(crate) fn length(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        ..10 => format!("{:.2} s", duration.as_secs_f64()),
        10..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..172_800 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// To the second: `2026-11-27T12:00:01Z`.
pub(crate) fn second(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// To the millisecond: `2026-11-27T12:00:01.250Z`.
pub(crate) fn millisecond(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_a_useful_digit() {
        let now: Timestamp = "2026-11-27T12:00:00.25Z".parse().unwrap();
        for (seconds, text) in [
            (0, "now"),
            (1, "1 s ago"),
            (119, "119 s ago"),
            (120, "2 min ago"),
            (7_199, "119 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
            (-30, "in 30 s"),
            (-86_400, "in 24 h"),
        ] {
            assert_eq!(relative(now - SignedDuration::from_secs(seconds), now), text);
        }
        for (milliseconds, text) in [
            (0, "0.00 s"),
            (214, "0.21 s"),
            (9_990, "9.99 s"),
            (12_340, "12.3 s"),
            (200_000, "3 min 20 s"),
            (3_660_000, "1 h 1 min"),
            (180_000_000, "2 days 2 h"),
        ] {
            assert_eq!(length(SignedDuration::from_millis(milliseconds)), text);
        }
        assert_eq!(second(now), "2026-11-27T12:00:00Z");
        assert_eq!(millisecond(now), "2026-11-27T12:00:00.250Z");
    }
}
