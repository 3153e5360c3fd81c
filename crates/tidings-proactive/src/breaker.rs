//! Not knocking at a door that nobody answers: one breaker for each host and tenant.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tidings_connector::{Phase, SendError};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// How many failures in a row open it.
    pub failures: u32,
    /// How long it stays open at first. Twice as long after each failed probe.
    pub first_wait: Duration,
    /// It never stays open for longer.
    pub longest_wait: Duration,
    /// How many hosts and tenants are watched at most. Beyond that those that failed longest ago are forgotten.
    pub entries: usize,
}

impl Default for BreakerOptions {
    /// 5 failures; 5 s up to 2 min; 1,024 hosts and tenants.
    fn default() -> Self {
        BreakerOptions {
            failures: 5,
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(120),
            entries: 1_024,
        }
    }
}

/// What an attempt says about its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It answered as a host does that is well, whatever it said.
    Reached,
    /// No connection, no answer in time, or an answer that says that something is broken.
    Failed,
}

impl Contact {
    /// `None` if the host was not asked.
    pub(crate) fn of(error: &SendError) -> Option<Self> {
        match (error.status, error.phase) {
            (Some(408 | 500..), _) => Some(Contact::Failed),
            (Some(_), _) => Some(Contact::Reached),
            (None, Phase::Refused) => None,
            (None, Phase::BeforeBody | Phase::AfterBody) => Some(Contact::Failed),
        }
    }
}

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// It may.
    Closed,
    /// Not before `until`.
    Open { until: Timestamp },
    /// One may, to find out: whoever [starts](Breakers::start) first.
    Probe,
}

/// The breakers of one node. Only those that failed lately take room.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    options: BreakerOptions,
    by_key: HashMap<Key, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) host: String,
    pub(crate) tenant: String,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    failed_at: Timestamp,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Timestamp,
        wait: Duration,
        /// Whether one was let through, of which nothing has been heard. At `until` it is given up.
        probing: bool,
    },
}

impl Breakers {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Breakers {
            options,
            by_key: HashMap::new(),
        }
    }

    /// Notes how an attempt ended.
    pub(crate) fn record(&mut self, host: &str, tenant: &str, contact: Contact, now: Timestamp) {
        match contact {
            Contact::Reached => self.succeeded(host, tenant, now),
            Contact::Failed => self.failed(host, tenant, now),
        }
    }

    /// The host answered as one that works.
    pub(crate) fn succeeded(&mut self, host: &str, tenant: &str, _now: Timestamp) {
        if !self.by_key.is_empty() {
            self.by_key.remove(&key(host, tenant));
        }
    }

    /// The host could not be reached, or did not work.
    pub(crate) fn failed(&mut self, host: &str, tenant: &str, now: Timestamp) {
        let key = key(host, tenant);
        if !self.by_key.contains_key(&key) {
            self.make_room();
        }
        let entry = self.by_key.entry(key).or_insert(Entry {
            failed_at: now,
            state: State::Closed { failures: 0 },
        });
        entry.failed_at = now;
        entry.state = match entry.state {
            State::Closed { failures } if failures.saturating_add(1) >= self.options.failures => {
                State::Open {
                    until: after(now, self.options.first_wait),
                    wait: self.options.first_wait,
                    probing: false,
                }
            }
            State::Closed { failures } => State::Closed {
                failures: failures + 1,
            },
            State::Open {
                wait, probing: true, ..
            } => {
                let wait = wait.saturating_mul(2).min(self.options.longest_wait);
                State::Open {
                    until: after(now, wait),
                    wait,
                    probing: false,
                }
            }
            // It began before the breaker opened: nothing new.
            open @ State::Open { probing: false, .. } => open,
        };
    }

    /// Whether something may be sent there now.
    pub(crate) fn verdict(&self, host: &str, tenant: &str, now: Timestamp) -> Breaker {
        // Nearly always.
        if self.by_key.is_empty() {
            return Breaker::Closed;
        }
        match self.by_key.get(&key(host, tenant)).map(|entry| entry.state) {
            None | Some(State::Closed { .. }) => Breaker::Closed,
            Some(State::Open { until, wait, .. }) if is_shut(until, wait, now) => Breaker::Open { until },
            Some(State::Open { .. }) => Breaker::Probe,
        }
    }

    /// Something is sent there now. False if it may not be, because another was first to probe.
    pub(crate) fn start(&mut self, host: &str, tenant: &str, now: Timestamp) -> bool {
        if self.by_key.is_empty() {
            return true;
        }
        let Some(entry) = self.by_key.get_mut(&key(host, tenant)) else {
            return true;
        };
        let State::Open { until, wait, probing } = &mut entry.state else {
            return true;
        };
        if is_shut(*until, *wait, now) {
            return false;
        }
        *until = after(now, *wait);
        *probing = true;
        true
    }

    /// Every breaker that is open or lets one through to probe, in order.
    pub(crate) fn open(&self) -> Vec<(Key, OpenBreaker)> {
        let mut open: Vec<_> = self
            .by_key
            .iter()
            .filter_map(|(key, entry)| match entry.state {
                State::Closed { .. } => None,
                State::Open { until, probing, .. } => Some((key.clone(), OpenBreaker { until, probing })),
            })
            .collect();
        open.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        open
    }

    fn make_room(&mut self) {
        if self.by_key.len() < self.options.entries.max(1) {
            return;
        }
        let oldest = self
            .by_key
            .iter()
            .min_by_key(|(key, breaker)| {
                (
                    matches!(breaker.state, State::Open { .. }),
                    breaker.failed_at,
                    *key,
                )
            })
            .map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.by_key.remove(&oldest);
        }
    }
}

/// A breaker that is not closed, for those who watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenBreaker {
    /// When the next probe is let through.
    pub(crate) until: Timestamp,
    /// Whether a probe is under way.
    pub(crate) probing: bool,
}

fn key(host: &str, tenant: &str) -> Key {
    Key {
        host: host.to_owned(),
        tenant: tenant.to_owned(),
    }
}

/// Not if it would stay open for longer than it may: then the clock was set back, and one may find out.
fn is_shut(until: Timestamp, wait: Duration, now: Timestamp) -> bool {
    now < until && until <= after(now, wait)
}

fn after(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "smba.example";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).unwrap()
    }

    fn open_at(seconds: i64) -> Breakers {
        let mut breakers = Breakers::default();
        fail(&mut breakers, 5, seconds);
        breakers
    }

    fn fail(breakers: &mut Breakers, times: u32, seconds: i64) {
        for _ in 0..times {
            breakers.record(HOST, "t", Contact::Failed, at(seconds));
        }
    }

    /// The verdict, and what goes by it is sent.
    fn verdict(breakers: &mut Breakers, seconds: i64) -> Breaker {
        let verdict = breakers.verdict(HOST, "t", at(seconds));
        let started = breakers.start(HOST, "t", at(seconds));
        assert_eq!(started, !matches!(verdict, Breaker::Open { .. }));
        verdict
    }

    fn open(until: i64) -> Breaker {
        Breaker::Open { until: at(until) }
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row() {
        let mut breakers = Breakers::default();
        fail(&mut breakers, 4, 0);
        breakers.record(HOST, "t", Contact::Reached, at(0));
        fail(&mut breakers, 4, 0);
        assert_eq!(verdict(&mut breakers, 0), Breaker::Closed);
        fail(&mut breakers, 1, 0);
        assert_eq!(verdict(&mut breakers, 0), open(5));
        // Another tenant on the host, and the tenant on another host, are not concerned.
        assert_eq!(breakers.verdict(HOST, "u", at(0)), Breaker::Closed);
        assert_eq!(breakers.verdict("other.example", "t", at(0)), Breaker::Closed);
    }

    #[test]
    fn one_probe_is_let_through_and_its_success_closes() {
        let mut breakers = open_at(0);
        assert_eq!(verdict(&mut breakers, 4), open(5));
        assert_eq!(verdict(&mut breakers, 5), Breaker::Probe);
        assert_eq!(verdict(&mut breakers, 5), open(10));
        assert!(breakers.open()[0].1.probing);
        breakers.record(HOST, "t", Contact::Reached, at(6));
        assert_eq!(verdict(&mut breakers, 6), Breaker::Closed);
        assert!(breakers.open().is_empty());
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_the_longest() {
        let mut breakers = open_at(0);
        let mut now = 5;
        for wait in [10, 20, 40, 80, 120, 120] {
            assert_eq!(verdict(&mut breakers, now), Breaker::Probe, "{now}");
            fail(&mut breakers, 1, now);
            assert_eq!(verdict(&mut breakers, now), open(now + wait));
            now += wait;
        }
        // After it has closed it begins anew.
        breakers.record(HOST, "t", Contact::Reached, at(now));
        fail(&mut breakers, 5, now);
        assert_eq!(verdict(&mut breakers, now), open(now + 5));
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_lengthen_the_wait() {
        let mut breakers = open_at(0);
        fail(&mut breakers, 60, 3);
        assert_eq!(verdict(&mut breakers, 3), open(5));
    }

    #[test]
    fn a_probe_of_which_nothing_is_heard_is_followed_by_another() {
        let mut breakers = open_at(0);
        assert_eq!(verdict(&mut breakers, 7), Breaker::Probe);
        assert_eq!(verdict(&mut breakers, 11), open(12));
        assert_eq!(verdict(&mut breakers, 12), Breaker::Probe);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open() {
        let mut breakers = open_at(3_600);
        assert_eq!(verdict(&mut breakers, 0), Breaker::Probe);
        assert_eq!(verdict(&mut breakers, 0), open(5));
    }

    #[test]
    fn the_number_of_entries_is_bounded_and_the_open_ones_stay_longest() {
        let options = BreakerOptions {
            failures: 1,
            entries: 3,
            ..BreakerOptions::default()
        };
        let mut breakers = Breakers::new(options);
        for (second, host) in ["a", "b", "c", "d"].into_iter().enumerate() {
            breakers.record(host, "", Contact::Failed, at(i64::try_from(second).unwrap()));
        }
        let hosts: Vec<_> = breakers.open().into_iter().map(|(key, _)| key.host).collect();
        assert_eq!(hosts, ["b", "c", "d"]);
    }

    #[test]
    fn an_answer_is_a_contact_unless_it_says_that_something_is_broken() {
        let of = |phase, status: Option<u16>| {
            let error = SendError::new(phase, "no");
            Contact::of(&match status {
                Some(status) => error.with_status(status, None),
                None => error,
            })
        };
        for status in [200, 400, 401, 403, 404, 412, 413, 429] {
            assert_eq!(
                of(Phase::AfterBody, Some(status)),
                Some(Contact::Reached),
                "{status}"
            );
        }
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(
                of(Phase::AfterBody, Some(status)),
                Some(Contact::Failed),
                "{status}"
            );
        }
        assert_eq!(of(Phase::BeforeBody, None), Some(Contact::Failed));
        assert_eq!(of(Phase::AfterBody, None), Some(Contact::Failed));
        assert_eq!(of(Phase::Refused, None), None);
    }

    proptest! {
        #[test]
        fn between_two_probes_is_at_least_the_first_wait(
            steps in proptest::collection::vec((0_i64..20, 0_u8..4), 1..200),
        ) {
            let mut breakers = open_at(0);
            let (mut now, mut last_probe) = (0, None);
            for (pause, what) in steps {
                now += pause;
                match what {
                    0 => fail(&mut breakers, 1, now),
                    _ => if verdict(&mut breakers, now) == Breaker::Probe {
                        prop_assert!(last_probe.is_none_or(|last| now - last >= 5));
                        last_probe = Some(now);
                    },
                }
                // Never closed without a success, never open for longer than it may be.
                match verdict(&mut breakers, now) {
                    Breaker::Closed => prop_assert!(false),
                    Breaker::Open { until } => prop_assert!(until > at(now) && until <= at(now + 120)),
                    Breaker::Probe => {
                        prop_assert!(last_probe.is_none_or(|last| now - last >= 5));
                        last_probe = Some(now);
                    }
                }
            }
        }
    }
}
