//! The limits of a channel, as an operator sets them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::limits::Limit;

/// The most windows that hold at the same time.
const MOST_WINDOWS: usize = 8;
/// The longest window.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);
/// The most sends in a window.
const MOST_PERMITS: u32 = 1_000_000;
/// The longest name of a channel, in bytes.
const LONGEST_NAME: usize = 128;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LimitScope {
    /// What is sent to one conversation.
    Lane,
    /// What the app sends to all conversations of one tenant.
    Tenant,
}

impl LimitScope {
    /// As the API and the database have it: `lane`, `tenant`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LimitScope::Lane => "lane",
            LimitScope::Tenant => "tenant",
        }
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LimitScope {
    type Err = LimitsError;

    fn from_str(text: &str) -> Result<Self, LimitsError> {
        match text {
            "lane" => Ok(LimitScope::Lane),
            "tenant" => Ok(LimitScope::Tenant),
            _ => Err(LimitsError {
                field: "scope",
                problem: "must be lane or tenant".to_owned(),
            }),
        }
    }
}

/// How often a channel may be called, all windows at the same time. Those of Teams are on record from the start
/// (<https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit>); a channel without any is not limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLimits {
    /// The channel, as its activities name it: `msteams`.
    pub channel_id: String,
    /// What is counted together.
    pub scope: LimitScope,
    /// At most 8 windows, each from a millisecond to 31 days long and with 1 to 1,000,000 permits. None: not limited.
    pub windows: Vec<Limit>,
}

/// Why limits are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct LimitsError {
    /// What is wrong: `channelId`, `scope`, `windows`.
    pub field: &'static str,
    /// What it must be.
    pub problem: String,
}

impl ChannelLimits {
    pub(crate) fn check(&self) -> Result<(), LimitsError> {
        let wrong = |field, problem: String| Err(LimitsError { field, problem });
        let name = &self.channel_id;
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return wrong(
                "channelId",
                format!(
                    "must name a channel, in at most {LONGEST_NAME} bytes and without control characters"
                ),
            );
        }
        if self.windows.len() > MOST_WINDOWS {
            return wrong("windows", format!("must be at most {MOST_WINDOWS}"));
        }
        for (index, window) in self.windows.iter().enumerate() {
            let period = window.period;
            if period < Duration::from_millis(1) || period > LONGEST || period.subsec_nanos() % 1_000_000 != 0
            {
                return wrong(
                    "windows",
                    format!(
                        "must each be from 1 millisecond to {} long, in whole milliseconds",
                        LONGEST.as_millis()
                    ),
                );
            }
            if window.permits == 0 || window.permits > MOST_PERMITS {
                return wrong(
                    "windows",
                    format!(
                        "must each have 1 to {MOST_PERMITS} permits; to send nothing at all, pause the channel"
                    ),
                );
            }
            if self.windows[..index].iter().any(|other| other.period == period) {
                return wrong("windows", "must each have a length of their own".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(windows: &[(u64, u32)]) -> Result<(), &'static str> {
        let windows = windows.iter().map(|&(ms, permits)| Limit {
            period: Duration::from_millis(ms),
            permits,
        });
        named("sms", windows.collect())
    }

    fn named(channel: &str, windows: Vec<Limit>) -> Result<(), &'static str> {
        let limits = ChannelLimits {
            channel_id: channel.to_owned(),
            scope: LimitScope::Lane,
            windows,
        };
        limits.check().map_err(|error| error.field)
    }

    #[test]
    fn windows_are_bounded() {
        let month = 31 * 24 * 3_600_000;
        for (windows, expected) in [
            (&[][..], Ok(())),
            (&[(1, 1)], Ok(())),
            (&[(0, 1)], Err("windows")),
            (&[(month, 1)], Ok(())),
            (&[(month + 1, 1)], Err("windows")),
            (&[(1, 0)], Err("windows")),
            (&[(1, 1_000_000)], Ok(())),
            (&[(1, 1_000_001)], Err("windows")),
            (&[(1000, 7), (2000, 8)], Ok(())),
            (&[(1000, 7), (1000, 8)], Err("windows")),
        ] {
            assert_eq!(limits(windows), expected, "{windows:?}");
        }
        let many = |count| -> Vec<(u64, u32)> { (1..=count).map(|ms| (ms, 1)).collect() };
        assert_eq!(limits(&many(7)), Ok(()));
        assert_eq!(limits(&many(8)), Ok(()));
        assert_eq!(limits(&many(9)), Err("windows"));
        let half = Limit {
            period: Duration::from_micros(1500),
            permits: 1,
        };
        assert_eq!(named("sms", vec![half]), Err("windows"));
    }

    #[test]
    fn a_channel_has_a_name() {
        for (name, expected) in [
            ("", Err("channelId")),
            ("sms", Ok(())),
            ("s\0s", Err("channelId")),
            (&"x".repeat(128), Ok(())),
            (&"x".repeat(129), Err("channelId")),
        ] {
            assert_eq!(named(name, Vec::new()), expected, "{name:?}");
        }
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for scope in [LimitScope::Lane, LimitScope::Tenant] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert!("Lane".parse::<LimitScope>().is_err());
    }
}
