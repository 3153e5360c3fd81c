//! How often something may be sent: several windows at once, none of them ever exceeded.

use std::time::Duration;

use jiff::Timestamp;

use crate::meter::Meter;

/// A prediction follows so many bursts one by one; what comes after them it estimates.
const STEPS: usize = 1_000;

/// At most `permits` sends in any interval of length `period`, wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The length of the interval; counted in whole milliseconds, rounded up. Zero limits nothing.
    pub period: Duration,
    /// How many sends it may hold. Zero counts as one: to stop sending altogether, pause it.
    pub permits: u32,
}

/// Limits that hold at the same time. What was sent is kept in a [`Meter`], by which every node counts alike.
///
/// The bound is exact. With a backlog at least nine tenths of what the tightest limit allows are sent, because sends
/// that are close together are remembered as one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The shortest first; each longer one has more permits.
    windows: Vec<Window>,
    /// The same, the one that allows least in the long run first.
    tightest: Vec<Window>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Milliseconds.
    period: i64,
    permits: u32,
}

impl Window {
    /// Sends that it counts share an entry if they fall into the same interval of this length: a tenth of its period at
    /// most. A power of two, so that the intervals of a shorter window lie within those of a longer one.
    fn share(self) -> i64 {
        let tenth = (self.period / 10).max(1);
        1 << tenth.ilog2()
    }
}

impl Limits {
    /// These limits together. None at all limit nothing.
    #[must_use]
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Self {
        let mut windows: Vec<Window> = limits
            .into_iter()
            .filter(|limit| !limit.period.is_zero())
            .map(|limit| Window {
                period: i64::try_from(limit.period.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX),
                permits: limit.permits.max(1),
            })
            .collect();
        windows.sort_unstable_by_key(|window| (window.period, std::cmp::Reverse(window.permits)));
        // What a longer one with no more permits forbids anyway.
        let mut fewest = u32::MAX;
        let mut kept = Vec::new();
        for window in windows.into_iter().rev() {
            if kept.is_empty() || window.permits < fewest {
                fewest = window.permits;
                kept.push(window);
            }
        }
        kept.reverse();
        let mut tightest = kept.clone();
        tightest.sort_by_key(|window| std::cmp::Reverse(window.period / i64::from(window.permits)));
        Limits {
            windows: kept,
            tightest,
        }
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The earliest time at which the next send is allowed, `now` if it is now.
    #[must_use]
    pub fn next(&self, meter: &Meter, now: Timestamp) -> Timestamp {
        let mut entries = meter.newest_first();
        let (mut at, mut counted) = (0, 0_u64);
        let mut next = i64::MIN;
        for window in &self.windows {
            while counted < u64::from(window.permits) {
                let Some((time, count)) = entries.next() else {
                    return now.max(time_of(next));
                };
                (at, counted) = (time, counted.saturating_add(u64::from(count)));
            }
            next = next.max(at.saturating_add(window.period));
        }
        now.max(time_of(next))
    }

    /// Accounts one send at `now`, whether it was allowed or not.
    pub fn take(&self, meter: &mut Meter, now: Timestamp) {
        self.account(meter, now, now, 1);
    }

    /// Accounts as many sends at `now` as are allowed now, at most `wanted`, and returns how many.
    pub fn take_up_to(&self, meter: &mut Meter, now: Timestamp, wanted: u32) -> u32 {
        self.take_until(meter, now, now, wanted)
    }

    /// Like [`take_up_to`](Self::take_up_to), for sends that begin between `now` and `until`; what has not begun by
    /// then is forfeit. The longer that is beside the shortest period, the less is sent in all.
    pub fn take_until(&self, meter: &mut Meter, now: Timestamp, until: Timestamp, wanted: u32) -> u32 {
        let now_ms = floor_ms(now);
        let mut entries = meter.newest_first().peekable();
        let mut counted = 0_u64;
        let mut free = u64::from(wanted);
        for window in &self.windows {
            while let Some((_, count)) = entries.next_if(|(at, _)| at.saturating_add(window.period) > now_ms)
            {
                counted = counted.saturating_add(u64::from(count));
            }
            free = free.min(u64::from(window.permits).saturating_sub(counted));
        }
        drop(entries);
        let taken = u32::try_from(free).unwrap_or(wanted);
        if taken > 0 {
            self.account(meter, now, until, taken);
        }
        taken
    }

    /// When the `count`th send from now on will be allowed if each is made as soon as it is, predicted to a tenth of the
    /// time it takes.
    #[must_use]
    pub fn finish(&self, meter: &Meter, now: Timestamp, count: u64) -> Timestamp {
        let (mut meter, mut now, mut left) = (meter.clone(), now, count);
        for _ in 0..STEPS {
            if left == 0 || now == Timestamp::MAX {
                return now;
            }
            now = self.next(&meter, now);
            let wanted = u32::try_from(left).unwrap_or(u32::MAX);
            left -= u64::from(self.take_up_to(&mut meter, now, wanted));
        }
        self.estimate(&meter, now, left)
    }

    /// As [`finish`](Self::finish), however large `count` is, and the closer the larger it is beside the permits.
    fn estimate(&self, meter: &Meter, now: Timestamp, count: u64) -> Timestamp {
        let Some(last) = count.checked_sub(1) else {
            return now;
        };
        // Send number n waits for send number n - permits of each window. Of all the chains of such waits that end at
        // the last send, the longest decides: one that begins now, or one that begins at a send on record.
        let mut finish = floor_ms(now).saturating_add(longest_chain(&self.tightest, last));
        let mut newer = last;
        for (at, sends) in meter.newest_first() {
            newer = newer.saturating_add(u64::from(sends));
            let chain = longest_chain(&self.tightest, newer);
            if chain > 0 {
                finish = finish.max(at.saturating_add(chain));
            }
        }
        now.max(time_of(finish))
    }

    fn account(&self, meter: &mut Meter, now: Timestamp, until: Timestamp, count: u32) {
        let Some(longest) = self.windows.last() else {
            return;
        };
        // Rounded up to later than any moment of it: a window may be closed at both ends.
        meter.add(floor_ms(now.max(until)).saturating_add(1), count);
        let now = floor_ms(now);
        let since = now.saturating_sub(longest.period).saturating_add(1);
        meter.compact(since, u64::from(longest.permits), |at, newer| {
            let age = now.saturating_sub(at);
            let counting = |window: &&Window| u64::from(window.permits) > newer && window.period >= age;
            self.windows
                .iter()
                .find(counting)
                .map_or(1, |window| window.share())
        });
    }
}

/// The longest time that windows take one after the other which hold at most `sends` together.
fn longest_chain(windows: &[Window], sends: u64) -> i64 {
    let (time, longest) = chain(windows, sends);
    // A send counts as later by up to what shares an entry with it, on average half of 7.5 % of the period. Not so in
    // the first of the windows: what is in it is on record, or comes at once.
    time.saturating_add(time.saturating_sub(longest) / 27)
}

/// That time, and the longest of its windows. As a thief fills a bag: as much as goes in of what is worth most, or a
/// little less, so that more of the others goes in.
fn chain(windows: &[Window], sends: u64) -> (i64, i64) {
    let Some((window, others)) = windows.split_first() else {
        return (0, 0);
    };
    let permits = u64::from(window.permits);
    let most = sends / permits;
    // So much less that one of the others goes in its place.
    let largest = others.iter().map(|other| u64::from(other.permits)).max();
    let less = largest.map_or(0, |largest| largest.div_ceil(permits).min(8));
    (most.saturating_sub(less)..=most)
        .map(|times| {
            let (time, longest) = chain(others, sends - times * permits);
            if times == 0 {
                return (time, longest);
            }
            let times = i64::try_from(times).unwrap_or(i64::MAX);
            let whole = window.period.saturating_add(1).saturating_mul(times);
            (time.saturating_add(whole), longest.max(window.period))
        })
        .max()
        .unwrap_or_default()
}

impl Meter {
    /// Takes what was sent after `latest` for sent at `latest`, and says whether there was any. For a clock that was
    /// set back: until it has caught up, the sends of before are in its future and would be waited for. `latest` is
    /// now, or as long after it as [`Limits::take_until`] may have given permits for.
    pub fn not_after(&mut self, latest: Timestamp) -> bool {
        self.bring_forward(floor_ms(latest).saturating_add(1))
    }
}

fn floor_ms(time: Timestamp) -> i64 {
    time.as_microsecond().div_euclid(1_000)
}

/// A time beyond the calendar is its end.
fn time_of(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests;
