use proptest::prelude::*;

use super::*;

fn limits(windows: &[(u64, u32)]) -> Limits {
    Limits::new(windows.iter().map(|(ms, permits)| Limit {
        period: Duration::from_millis(*ms),
        permits: *permits,
    }))
}

/// What Microsoft publishes for a conversation in Teams.
fn teams() -> Limits {
    limits(&[(1_000, 7), (2_000, 8), (30_000, 60), (3_600_000, 1_800)])
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(1_767_225_600_000_000 + micros).unwrap()
}

/// The times of `count` sends, in microseconds, each made as soon as it is allowed.
fn drain(limits: &Limits, meter: &mut Meter, mut now: i64, count: usize) -> Vec<i64> {
    let mut times = Vec::new();
    for _ in 0..count {
        now = limits.next(meter, at(now)).as_microsecond() - at(0).as_microsecond();
        limits.take(meter, at(now));
        times.push(now);
    }
    times
}

/// No interval of a window's length, its ends included, holds more than its permits.
fn check_bound(windows: &[(u64, u32)], times: &[i64]) -> Result<(), TestCaseError> {
    for (ms, permits) in windows {
        let (period, permits) = (
            i64::try_from(*ms).unwrap() * 1_000,
            usize::try_from(*permits).unwrap(),
        );
        for (first, beyond) in times.iter().zip(times.iter().skip(permits)) {
            prop_assert!(
                beyond - first > period,
                "{} sends from {first} to {beyond}, in {ms} ms",
                permits + 1
            );
        }
    }
    Ok(())
}

/// The end of a drain after `before`, which is how long to wait and how much to send then, is predicted to a tenth.
fn check_prediction(
    windows: &[(u64, u32)],
    before: &[(i64, u32)],
    count: usize,
) -> Result<(), TestCaseError> {
    let limits = limits(windows);
    let mut meter = Meter::default();
    let mut now = 0;
    for (pause, wanted) in before {
        now += pause;
        limits.take_up_to(&mut meter, at(now), *wanted);
    }
    let predicted = limits.finish(&meter, at(now), count as u64);
    let end = drain(&limits, &mut meter, now, count).pop().unwrap();
    let (took, error) = (
        end - now,
        (predicted.as_microsecond() - at(end).as_microsecond()).abs(),
    );
    prop_assert!(
        error * 10 <= took,
        "took {took} us, predicted with an error of {error} us"
    );
    Ok(())
}

fn windows() -> impl Strategy<Value = Vec<(u64, u32)>> {
    proptest::collection::vec((100_u64..20_000, 1_u32..150), 1..5)
}

#[test]
fn a_burst_goes_at_once_and_the_rest_waits_for_its_window() {
    let (limits, mut meter) = (teams(), Meter::default());
    let times = drain(&limits, &mut meter, 0, 9);
    assert_eq!(times[6], 0);
    assert_eq!(times[7], 1_001_000);
    assert_eq!(times[8], 2_001_000);
}

#[test]
fn without_limits_nothing_waits_and_nothing_is_remembered() {
    let (limits, mut meter) = (Limits::new([]), Meter::default());
    assert!(limits.is_empty());
    limits.take(&mut meter, at(0));
    assert_eq!(limits.next(&meter, at(0)), at(0));
    assert_eq!(limits.take_up_to(&mut meter, at(0), 1_000_000), 1_000_000);
    assert_eq!(limits.finish(&meter, at(0), u64::MAX), at(0));
    assert_eq!(meter.to_text(), None);
}

#[test]
fn limits_that_forbid_nothing_more_are_dropped() {
    let same = limits(&[(1_000, 5)]);
    assert_eq!(limits(&[(1_000, 5), (500, 5), (1_000, 9), (0, 1)]), same);
    // No permits would close the lane for ever.
    assert_eq!(limits(&[(1_000, 0)]), limits(&[(1_000, 1)]));
}

#[test]
fn a_chunk_is_what_is_allowed_now() {
    let (limits, mut meter) = (limits(&[(1_000, 50)]), Meter::default());
    assert_eq!(limits.take_up_to(&mut meter, at(0), 20), 20);
    assert_eq!(limits.take_up_to(&mut meter, at(500_000), 40), 30);
    assert_eq!(limits.take_up_to(&mut meter, at(900_000), 1), 0);
    assert_eq!(limits.take_up_to(&mut meter, at(1_001_000), 50), 20);
    assert_eq!(limits.next(&meter, at(1_001_000)), at(1_501_000));
}

#[test]
fn a_clock_that_is_set_back_opens_nothing_and_may_be_forgiven() {
    let (limits, mut meter) = (limits(&[(1_000, 3)]), Meter::default());
    drain(&limits, &mut meter, 300_000_000, 3);
    let next = limits.next(&meter, at(0));
    assert_eq!(next, at(301_001_000));
    assert_eq!(limits.take_up_to(&mut meter, at(0), 3), 0);
    assert!(meter.not_after(at(0)));
    assert_eq!(limits.next(&meter, at(0)), at(1_001_000));
    assert!(!meter.not_after(at(0)));
}

#[test]
fn the_ends_of_time_are_times() {
    let huge = Limits::new([Limit {
        period: Duration::MAX,
        permits: u32::MAX,
    }]);
    for now in [Timestamp::MIN, at(0), Timestamp::MAX] {
        let mut meter = Meter::default();
        assert_eq!(huge.take_up_to(&mut meter, now, u32::MAX), u32::MAX);
        assert_eq!(huge.take_up_to(&mut meter, now, 1), 0);
        assert!(huge.next(&meter, now) >= now);
        assert_eq!(huge.finish(&meter, now, u64::MAX), Timestamp::MAX);
        huge.take(&mut meter, now);
    }
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_its_permits(
        windows in windows(),
        // How long to do something else, and how much to send then.
        calls in proptest::collection::vec((0_i64..3_000_000, 0_u32..40), 1..60),
        waits_for_all in any::<bool>(),
    ) {
        let limits = limits(&windows);
        let mut meter = Meter::default();
        let (mut now, mut times) = (0, Vec::new());
        for (pause, count) in calls {
            now += pause;
            if waits_for_all {
                times.extend(drain(&limits, &mut meter, now, count as usize));
                now = now.max(times.last().copied().unwrap_or(0));
            } else {
                let taken = limits.take_up_to(&mut meter, at(now), count);
                times.extend((0..taken).map(|_| now));
                // `next` and `take_up_to` agree on whether the gate is open.
                let open = limits.next(&meter, at(now)) == at(now);
                prop_assert_eq!(open, limits.take_up_to(&mut meter.clone(), at(now), 1) == 1);
            }
            meter = Meter::from_text(meter.to_text().as_deref());
        }
        check_bound(&windows, &times)?;
    }

    #[test]
    fn nor_if_permits_are_used_later(
        windows in windows(),
        calls in proptest::collection::vec((0_i64..500_000, 1_u32..40, 0_i64..200_000, any::<u64>()), 1..60),
    ) {
        let limits = limits(&windows);
        let mut meter = Meter::default();
        let (mut now, mut times) = (0, Vec::new());
        for (pause, wanted, valid, seed) in calls {
            now += pause;
            let taken = limits.take_until(&mut meter, at(now), at(now + valid), wanted);
            let mut random = seed;
            for _ in 0..taken {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                times.push(now + i64::try_from(random >> 33).unwrap() % (valid + 1));
            }
        }
        times.sort_unstable();
        check_bound(&windows, &times)?;
    }

    #[test]
    fn nor_if_the_clock_is_set_back(
        windows in windows(),
        calls in proptest::collection::vec(
            (0_i64..500_000, 1_u32..40, proptest::option::weighted(0.1, 0_i64..10_000_000), any::<bool>()),
            1..60,
        ),
    ) {
        let limits = limits(&windows);
        let mut meter = Meter::default();
        let (mut now, mut behind, mut times) = (0, 0, Vec::new());
        for (pause, wanted, back, forgiven) in calls {
            now += pause;
            behind += back.unwrap_or(0);
            let clock = at(now - behind);
            if forgiven {
                meter.not_after(clock);
            }
            let taken = limits.take_up_to(&mut meter, clock, wanted);
            times.extend((0..taken).map(|_| now));
        }
        check_bound(&windows, &times)?;
    }

    #[test]
    fn a_backlog_gets_nine_tenths_of_the_tightest_limit(windows in windows()) {
        let limits = limits(&windows);
        let mut meter = Meter::default();
        let most = windows.iter().map(|(_, permits)| *permits as usize).max().unwrap();
        let count = most * 10;
        let times = drain(&limits, &mut meter, 0, count);
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (seconds, sent, rate) = (
            times.last().copied().unwrap() as f64 / 1e6,
            count as f64,
            windows
                .iter()
                .map(|(ms, permits)| f64::from(*permits) / (*ms as f64 / 1e3))
                .fold(f64::INFINITY, f64::min),
        );
        prop_assert!(sent >= 0.9 * rate * seconds, "{sent} in {seconds} s, not {rate} a second");
    }

    #[test]
    fn the_end_of_a_drain_is_predicted_to_a_tenth(
        windows in windows(),
        before in proptest::collection::vec((0_i64..2_000_000, 0_u32..30), 0..10),
        count in 1_usize..600,
    ) {
        check_prediction(&windows, &before, count)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn so_is_that_of_one_with_more_bursts_than_are_followed(
        // No window lets many go at once.
        (windows, first) in (windows(), (100_u64..1_000, 1_u32..4)),
        before in proptest::collection::vec((0_i64..2_000_000, 0_u32..30), 0..10),
        count in 1_000_usize..8_000,
    ) {
        let windows: Vec<_> = windows.into_iter().chain([first]).collect();
        check_prediction(&windows, &before, count)?;
    }

    #[test]
    fn a_meter_of_teams_is_short(
        calls in proptest::collection::vec((0_i64..120_000_000, 0_usize..400), 1..20),
    ) {
        let (limits, mut meter, mut now) = (teams(), Meter::default(), 0);
        for (pause, count) in calls {
            now += pause;
            now = now.max(drain(&limits, &mut meter, now, count).pop().unwrap_or(0));
            let text = meter.to_text().unwrap_or_default();
            prop_assert!(text.len() <= 200, "{} bytes: {text}", text.len());
        }
    }
}

#[test]
fn windows_that_are_nearly_alike_are_predicted() {
    check_prediction(&[(15_329, 116), (18_620, 139)], &[(0, 23)], 250).unwrap();
    for count in 1..600 {
        check_prediction(&[(15_329, 116), (18_620, 139)], &[(0, 23)], count).unwrap();
    }
}

#[test]
fn a_long_drain_in_teams_is_paced_by_the_hour_and_predicted() {
    let limits = teams();
    let mut meter = Meter::default();
    for count in [1, 7, 8, 20, 61, 100, 500, 1_800, 1_801, 2_000, 10_000] {
        let predicted = limits.finish(&Meter::default(), at(0), count as u64);
        meter = Meter::default();
        let took = drain(&limits, &mut meter, 0, count).pop().unwrap();
        let error = (predicted.as_microsecond() - at(took).as_microsecond()).abs();
        assert!(
            error * 10 <= took,
            "{count} took {took} us, predicted with an error of {error} us"
        );
    }
    assert!(meter.to_text().unwrap().len() <= 200);
}
