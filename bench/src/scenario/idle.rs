//! Nothing but pending timers: what it costs to wait.

use anyhow::Result;

use super::timers::pending;
use super::{Bench, Side};
use crate::engine::Engine;
use crate::finding::Goal;
use crate::process::resident;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let home = bench.place.home()?;
    let engine = Engine::start(home, bench.channel.service_url(), u32::MAX)?;
    pending(bench, &engine).await?;
    // What filled the database is over and has had its time to settle.
    tokio::time::sleep(bench.duration() / 5).await;
    let (from, before) = (bench.place.meter(None)?, engine.stats());
    tokio::time::sleep(bench.duration()).await;
    let (to, after) = (bench.place.meter(None)?, engine.stats());
    let seconds = bench.duration().as_secs_f64();
    let cpu = to.usage.since(from.usage).cpu.as_secs_f64();
    let queries = (after.reads - before.reads) + (after.operations - before.operations);
    let findings = &mut bench.findings;
    findings.add("idle", "pending", bench.options.pending as f64, "", None);
    let goal = Some(Goal::AtMost(0.5));
    findings.add(
        "idle",
        "CPU of the process",
        100.0 * cpu / seconds,
        "% of a core",
        goal,
    );
    let goal = Some(Goal::AtMost(2.0));
    findings.add("idle", "queries", queries as f64 / seconds, "1/s", goal);
    if let Some(server) = bench.place.server_cpu(from, to) {
        let share = 100.0 * server.as_secs_f64() / seconds;
        findings.add("idle", "CPU of the database server", share, "% of a core", None);
    }
    if let Some(resident) = resident(None) {
        findings.add("idle", "memory of the process", resident as f64 / 1e6, "MB", None);
    }
    Side::Process(engine).stop().await
}
