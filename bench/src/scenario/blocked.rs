//! One conversation whose channel takes nothing, with many messages, beside others that go on.

use anyhow::Result;

use super::process::closed_loop;
use super::{Bench, Side};
use crate::channel::BLOCKED;
use crate::engine::Engine;
use crate::finding::Goal;
use crate::moment;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let home = bench.place.home()?;
    let backlog = u32::try_from(bench.options.blocked + 1)?.max(100_000);
    let engine = Engine::start(home, bench.channel.service_url(), backlog)?;
    let mut side = Side::Process(engine.clone());
    let before = closed_loop(bench, &mut side).await?;
    bench
        .fill(&engine, bench.options.blocked, |_| {
            engine.message(BLOCKED, moment::now())
        })
        .await?;
    bench.ignore_open(bench.options.blocked);
    let beside = closed_loop(bench, &mut side).await?;
    bench.ignore_open(0);
    bench
        .findings
        .add("blocked", "rate without", before.rate(), "msg/s", None);
    bench
        .findings
        .add("blocked", "rate beside", beside.rate(), "msg/s", None);
    let kept = 100.0 * beside.rate() / before.rate();
    bench
        .findings
        .add("blocked", "rate kept", kept, "%", Some(Goal::AtLeast(95.0)));
    let refused = bench.channel.tally().await?.refused as f64;
    bench
        .findings
        .add("blocked", "POSTs to the blocked conversation", refused, "", None);
    side.stop().await
}
