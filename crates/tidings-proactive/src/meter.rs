//! What was sent lately, small enough to be kept in the row of a lane.

use std::fmt::Write as _;

/// What was sent lately, as [`Limits`](crate::Limits) count it.
///
/// Sends that are close together, as seen from the limits that still count them, share an entry, which then stands at the
/// newest of their times. So a send is never taken for older than it is, and never forgotten too soon. Times are kept to
/// the millisecond, rounded up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter(Vec<Entry>);

/// `count` sends, none of them later than `at`. The newest entry is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Unix milliseconds.
    at: i64,
    count: u32,
}

/// 36 digits: what the standard library can read, and short.
const RADIX: u32 = 36;

impl Meter {
    /// The meter that [`to_text`](Self::to_text) wrote; nothing was sent where there is no text. Of a text that was
    /// damaged it keeps the newest sends, up to the damage.
    #[must_use]
    pub fn from_text(text: Option<&str>) -> Self {
        let mut entries = Vec::new();
        let mut at = None;
        for part in text.unwrap_or_default().split_terminator(',') {
            let (delta, count) = part.split_once('*').unwrap_or((part, "1"));
            let number = |digits: &str| i64::from_str_radix(digits, RADIX).ok().filter(|n| *n >= 0);
            let entry = number(delta)
                .and_then(|delta| at.map_or(Some(delta), |newer: i64| newer.checked_sub(delta)))
                .zip(number(count).and_then(|count| u32::try_from(count).ok()));
            let Some((time, count)) = entry.filter(|(time, count)| *time >= 0 && *count > 0) else {
                break;
            };
            entries.push(Entry { at: time, count });
            at = Some(time);
        }
        entries.reverse();
        Meter(entries)
    }

    /// The meter as text, `None` while nothing was sent: the newest time, then for each older entry how much older it is.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let mut text = String::new();
        let mut newer = None;
        for entry in self.0.iter().rev() {
            if newer.is_some() {
                text.push(',');
            }
            digits(&mut text, newer.map_or(entry.at, |newer: i64| newer - entry.at));
            if entry.count > 1 {
                text.push('*');
                digits(&mut text, i64::from(entry.count));
            }
            newer = Some(entry.at);
        }
        newer.map(|_| text)
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries from the newest: the time of its newest send, and how many sends it stands for.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (i64, u32)> {
        self.0.iter().rev().map(|entry| (entry.at, entry.count))
    }

    /// Adds `count` sends, none of them later than `at`.
    pub(crate) fn add(&mut self, at: i64, count: u32) {
        // In order even if the clock is not: what came later counts as later.
        let at = self.0.last().map_or(at, |newest| newest.at.max(at)).max(0);
        self.0.push(Entry { at, count });
    }

    /// Forgets what was sent before `since` or has `keep` newer sends, and lets older sends share entries: those that
    /// fall into the same of the intervals that `share(at, newer)` milliseconds long follow each other, where `newer`
    /// sends are newer than that at `at`.
    pub(crate) fn compact(&mut self, since: i64, keep: u64, share: impl Fn(i64, u64) -> i64) {
        let total: u64 = self.0.iter().map(|entry| u64::from(entry.count)).sum();
        let mut older = 0;
        let mut kept = 0;
        for next in 0..self.0.len() {
            let entry = self.0[next];
            older += u64::from(entry.count);
            let newer = total - older;
            if entry.at < since || newer >= keep {
                continue;
            }
            let interval = share(entry.at, newer).max(1);
            match self.0[..kept].last_mut() {
                Some(group) if group.at / interval == entry.at / interval => {
                    *group = Entry {
                        at: entry.at,
                        count: entry.count.saturating_add(group.count),
                    };
                }
                _ => {
                    self.0[kept] = entry;
                    kept += 1;
                }
            }
        }
        self.0.truncate(kept);
    }

    /// Lets no send be later than `latest`: true if one was.
    pub(crate) fn bring_forward(&mut self, latest: i64) -> bool {
        let mut changed = false;
        for entry in self.0.iter_mut().rev().take_while(|entry| entry.at > latest) {
            entry.at = latest;
            changed = true;
        }
        changed
    }
}

fn digits(text: &mut String, number: i64) {
    let mut number = number.unsigned_abs();
    let start = text.len();
    loop {
        let digit = u32::try_from(number % u64::from(RADIX)).unwrap_or_default();
        text.extend(char::from_digit(digit, RADIX));
        number /= u64::from(RADIX);
        if number == 0 {
            break;
        }
    }
    let reversed: String = text[start..].chars().rev().collect();
    text.truncate(start);
    _ = text.write_str(&reversed);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meter(entries: &[(i64, u32)]) -> Meter {
        let mut meter = Meter::default();
        for (at, count) in entries {
            meter.add(*at, *count);
        }
        meter
    }

    #[test]
    fn a_meter_is_a_short_text() {
        assert_eq!(Meter::default().to_text(), None);
        let meter = meter(&[
            (1_767_225_600_000, 3),
            (1_767_225_600_035, 1),
            (1_767_225_601_035, 1),
        ]);
        let text = meter.to_text().unwrap();
        assert_eq!(text, "mjuohssr,rs,z*3");
        assert_eq!(Meter::from_text(Some(&text)), meter);
        assert_eq!(Meter::from_text(None), Meter::default());
    }

    #[test]
    fn of_a_damaged_text_the_newest_are_kept() {
        let whole = "mjuohssr,rs,z*3";
        assert_eq!(
            Meter::from_text(Some("mjuohssr,rs,z*?")),
            Meter::from_text(Some("mjuohssr,rs"))
        );
        for broken in ["", ",", "-1", "*2", "z*0", "zzzzzzzzzzzzzzzzzz", "1,2"] {
            let meter = Meter::from_text(Some(broken));
            assert!(meter.newest_first().count() <= 1, "{broken}");
        }
        assert_eq!(Meter::from_text(Some(whole)).newest_first().count(), 3);
    }

    #[test]
    fn later_sends_are_later_whatever_the_clock_says() {
        let mut meter = meter(&[(1_000, 1), (400, 2), (-5, 1)]);
        let entries: Vec<_> = meter.newest_first().collect();
        assert_eq!(entries, [(1_000, 1), (1_000, 2), (1_000, 1)]);
        assert!(meter.bring_forward(700));
        assert!(!meter.bring_forward(700));
        assert!(meter.newest_first().all(|(at, _)| at == 700));
    }

    proptest! {
        #[test]
        fn texts_read_back(steps in proptest::collection::vec((0_i64..10_000_000, 1_u32..), 0..40)) {
            let mut meter = Meter::default();
            let mut at = 0;
            for (step, count) in steps {
                at += step;
                meter.add(at, count);
            }
            let text = meter.to_text();
            prop_assert_eq!(text.is_none(), meter.is_empty());
            prop_assert_eq!(Meter::from_text(text.as_deref()), meter);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9a-z*,?-]{0,60}") {
            let meter = Meter::from_text(Some(&text));
            prop_assert_eq!(&Meter::from_text(meter.to_text().as_deref()), &meter);
        }
    }
}
