//! Which activities have had their turn, as far as that is known without asking the database.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use super::DeduplicationLimits;

/// How many rows are deleted at a time. Deleting one by one would touch the oldest page in every commit.
const FORGET_AT_ONCE: usize = 64;

/// The number of each row that is remembered, by the fingerprint of its key.
///
/// An activity takes 24 bytes in the queue and at most 34 in the map: 16 bytes and a control byte for each place, of
/// which up to half are free. At the default limit of 262,144 activities that is at most 15.2 MB; an answer with a body
/// (of an invoke or `expectReplies`) takes 16 bytes more.
#[derive(Default)]
pub(super) struct Register {
    numbers: HashMap<u64, i64, BuildHasherDefault<AsItIs>>,
    /// Oldest first.
    order: VecDeque<Entry>,
    /// The answers that have a body: number and length, oldest first.
    bodies: VecDeque<(i64, usize)>,
    body_bytes: usize,
    /// Rows that are forgotten here and still lie in the database.
    rows_owed: usize,
    forgotten_up_to: i64,
}

/// One row of the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) fingerprint: u64,
    pub(super) number: i64,
    pub(super) at_ms: i64,
}

/// The rows up to these numbers are to be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Forget {
    pub(super) turns: Option<i64>,
    pub(super) bodies: Option<i64>,
}

impl Register {
    /// The row that may be the activity's.
    pub(super) fn find(
        &mut self,
        fingerprint: u64,
        limits: &DeduplicationLimits,
        now_ms: i64,
    ) -> Option<i64> {
        self.forget_old(limits, now_ms, 0);
        self.numbers.get(&fingerprint).copied()
    }

    /// Remembers a row that was committed.
    pub(super) fn insert(
        &mut self,
        entry: Entry,
        body_len: usize,
        limits: &DeduplicationLimits,
        now_ms: i64,
    ) {
        // Room first, so that the queue never grows beyond the limit.
        self.forget_old(limits, now_ms, 1);
        if limits.activities == 0 {
            (self.rows_owed, self.forgotten_up_to) = (self.rows_owed + 1, entry.number);
            return;
        }
        self.numbers.insert(entry.fingerprint, entry.number);
        self.order.push_back(entry);
        if body_len > 0 {
            self.body_bytes += body_len;
            self.bodies.push_back((entry.number, body_len));
        }
    }

    /// What the next commit is to delete, before it adds a body of `body_len` bytes.
    pub(super) fn forget(&mut self, body_len: usize, limits: &DeduplicationLimits) -> Forget {
        let mut forget = Forget::default();
        if self.rows_owed >= FORGET_AT_ONCE {
            self.rows_owed = 0;
            forget.turns = Some(self.forgotten_up_to);
            while let Some((_, length)) = self
                .bodies
                .pop_front_if(|(number, _)| *number <= self.forgotten_up_to)
            {
                self.body_bytes -= length;
            }
        }
        while self.body_bytes + body_len > limits.body_bytes
            && let Some((number, length)) = self.bodies.pop_front()
        {
            self.body_bytes -= length;
            forget.bodies = Some(number);
        }
        forget
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The rows up to this number are not remembered.
    pub(super) fn forgotten_up_to(&self) -> i64 {
        self.forgotten_up_to
    }

    /// Forgets what is too old, and the oldest ones until there is room for `more`.
    fn forget_old(&mut self, limits: &DeduplicationLimits, now_ms: i64, more: usize) {
        let age_ms = i64::try_from(limits.age.as_millis()).unwrap_or(i64::MAX);
        while let Some(oldest) = self.order.front() {
            if self.order.len() + more <= limits.activities && now_ms.saturating_sub(oldest.at_ms) < age_ms {
                break;
            }
            let Entry {
                fingerprint, number, ..
            } = *oldest;
            self.order.pop_front();
            self.rows_owed += 1;
            self.forgotten_up_to = self.forgotten_up_to.max(number);
            // Another activity may have the same fingerprint; the later one is remembered.
            if self.numbers.get(&fingerprint) == Some(&number) {
                self.numbers.remove(&fingerprint);
            }
        }
    }
}

/// A fingerprint is a hash already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits(activities: usize, age_s: u64, body_bytes: usize) -> DeduplicationLimits {
        DeduplicationLimits {
            activities,
            age: Duration::from_secs(age_s),
            body_bytes,
        }
    }

    /// A register in which each activity's fingerprint is ten times its number.
    fn with(numbers: std::ops::RangeInclusive<i64>, limits: &DeduplicationLimits) -> Register {
        let mut register = Register::default();
        for number in numbers {
            register.insert(entry(number, 0), 0, limits, 0);
        }
        register
    }

    fn entry(number: i64, at_ms: i64) -> Entry {
        Entry {
            fingerprint: number.unsigned_abs() * 10,
            number,
            at_ms,
        }
    }

    #[test]
    fn as_many_as_allowed_are_remembered_and_the_oldest_go_first() {
        let limits = limits(3, 60, 0);
        for (stored, remembered) in [(2, 1..=2), (3, 1..=3), (4, 2..=4)] {
            let mut register = with(1..=stored, &limits);
            for number in 1..=stored {
                let found = register.find(number.unsigned_abs() * 10, &limits, 0);
                assert_eq!(
                    found,
                    remembered.contains(&number).then_some(number),
                    "{number} of {stored}"
                );
            }
        }
        let none = DeduplicationLimits {
            activities: 0,
            ..limits
        };
        assert_eq!(with(1..=2, &none).find(20, &none, 0), None);
    }

    #[test]
    fn for_as_long_as_allowed() {
        let limits = limits(10, 60, 0);
        for (now_ms, found) in [(59_999, Some(1)), (60_000, None), (60_001, None)] {
            assert_eq!(with(1..=1, &limits).find(10, &limits, now_ms), found, "{now_ms}");
        }
    }

    #[test]
    fn rows_are_deleted_64_at_a_time() {
        let limits = limits(1, 60, 0);
        for (stored, deleted) in [(64, None), (65, Some(64)), (66, Some(65))] {
            let mut register = with(1..=stored, &limits);
            assert_eq!(register.forget(0, &limits).turns, deleted, "{stored}");
            assert_eq!(register.forget(0, &limits).turns, None);
        }
    }

    #[test]
    fn bodies_are_bounded_in_all_and_the_oldest_go_first() {
        let limits = limits(10, 60, 100);
        for (third, deleted) in [
            (39, None),
            (40, None),
            (41, Some(1)),
            (71, Some(2)),
            (101, Some(2)),
        ] {
            let mut register = Register::default();
            register.insert(entry(1, 0), 30, &limits, 0);
            register.insert(entry(2, 0), 30, &limits, 0);
            assert_eq!(register.forget(third, &limits).bodies, deleted, "{third}");
        }
    }

    #[test]
    fn of_two_with_one_fingerprint_the_later_is_remembered() {
        let limits = limits(2, 60, 0);
        let mut register = Register::default();
        for number in [1, 2] {
            register.insert(
                Entry {
                    fingerprint: 7,
                    number,
                    at_ms: 0,
                },
                0,
                &limits,
                0,
            );
        }
        assert_eq!(register.find(7, &limits, 0), Some(2));
        register.insert(entry(3, 0), 0, &limits, 0);
        assert_eq!(
            register.find(7, &limits, 0),
            Some(2),
            "forgetting the earlier takes nothing along"
        );
    }
}
