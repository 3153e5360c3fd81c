//! Messages that come due while many more are pending.

use std::time::Duration;

use anyhow::Result;

use super::{Bench, Side};
use crate::engine::Engine;
use crate::moment;
use crate::served::conversation;

/// Messages per second that come due, unless told otherwise.
const RATE: u64 = 200;
/// How long before they are due the first are put on record.
const AHEAD: Duration = Duration::from_secs(2);
/// When the pending ones are due: not in this measurement.
const FAR: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let home = bench.place.home()?;
    let engine = Engine::start(home, bench.channel.service_url(), u32::MAX)?;
    pending(bench, &engine).await?;
    let (rate, before) = (bench.options.rate.unwrap_or(RATE), bench.channel.count().await?);
    let count = rate * bench.options.seconds;
    let conversations = bench.options.conversations;
    let begin = moment::now() + micros(AHEAD);
    bench.channel.again().await?;
    bench
        .fill(&engine, count, |number| {
            let at = begin + number * 1_000_000 / rate;
            engine.timer(&conversation(number % conversations), at)
        })
        .await?;
    bench.ignore_open(bench.options.pending);
    let mut side = Side::Process(engine);
    bench.drain(before + count, &mut side).await?;
    bench.ignore_open(0);
    let lateness = bench.channel.tally().await?.lateness()?;
    bench
        .findings
        .add("timers", "pending", bench.options.pending as f64, "", None);
    bench.findings.add("timers", "rate", rate as f64, "msg/s", None);
    bench.percentiles("timers", "due to POST", &lateness, Some(20.0));
    side.stop().await
}

/// Puts as many timers on record as the options say, far ahead.
pub(super) async fn pending(bench: &Bench, engine: &Engine) -> Result<()> {
    let far = moment::now() + micros(FAR);
    let conversations = bench.options.conversations;
    bench
        .fill(engine, bench.options.pending, |number| {
            engine.timer(&conversation(number % conversations), far + number)
        })
        .await?;
    bench.place.rest();
    Ok(())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
