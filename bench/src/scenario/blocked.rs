//! One conversation whose channel takes nothing, with many messages, beside others that go on.

use anyhow::Result;

use super::process::closed_loop;
use super::{Bench, Side};
use crate::channel::BLOCKED;
use crate::engine::Engine;
use crate::finding::Goal;
use crate::moment;

/// With and without are measured in turns, so that the weather is the same for both; and in turns either is first,
/// because whoever is second has what the first wrote still on its way to the disk.
const ROUNDS: u32 = 4;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let blocked = bench.options.blocked;
    let backlog = u32::try_from(blocked + 1)?.max(100_000);
    let start = || Engine::start(bench.place.home()?, bench.channel.service_url(), backlog);
    let (without, beside) = (start()?, start()?);
    bench
        .fill(&beside, blocked, |_| beside.message(BLOCKED, moment::now()))
        .await?;
    bench.place.rest();
    let (mut free, mut full) = (Side::Process(without), Side::Process(beside));
    let (mut rate_without, mut rate_beside) = (0.0, 0.0);
    for round in 0..ROUNDS {
        for is_free in [round % 2 == 0, round % 2 == 1] {
            let (side, open, rate) = match is_free {
                true => (&mut free, 0, &mut rate_without),
                false => (&mut full, blocked, &mut rate_beside),
            };
            bench.ignore_open(open);
            *rate += closed_loop(bench, side).await?.rate() / f64::from(ROUNDS);
        }
    }
    bench.ignore_open(0);
    let refused = bench.channel.tally().await?.refused as f64;
    let findings = &mut bench.findings;
    findings.add("blocked", "messages that are blocked", blocked as f64, "", None);
    findings.add("blocked", "POSTs of them", refused, "", None);
    findings.add("blocked", "rate without", rate_without, "msg/s", None);
    findings.add("blocked", "rate beside", rate_beside, "msg/s", None);
    let kept = 100.0 * rate_beside / rate_without;
    findings.add("blocked", "rate kept", kept, "%", Some(Goal::AtLeast(95.0)));
    free.stop().await?;
    full.stop().await
}
