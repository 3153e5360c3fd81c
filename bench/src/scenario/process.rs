//! Batches enqueued in this process, closed loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::Result;
use tokio::task::JoinSet;

use super::{Bench, Side};
use crate::engine::Engine;
use crate::finding::Goal;
use crate::load::Window;
use crate::moment;
use crate::served::conversation;

/// Open messages that a conversation may have.
const BACKLOG: u32 = 100_000;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let home = bench.place.home()?;
    let engine = Engine::start(home, bench.channel.service_url(), BACKLOG)?;
    let mut side = Side::Process(engine);
    let stretch = closed_loop(bench, &mut side).await?;
    let goal = bench.goal(Goal::AtLeast(12_000.0), Goal::AtLeast(6_000.0));
    bench.report("process", &stretch, goal).await?;
    side.stop().await
}

/// Enqueues batches to all conversations for the time of a measurement, and waits for the last.
pub(super) async fn closed_loop(bench: &mut Bench, side: &mut Side) -> Result<super::Stretch> {
    let Side::Process(engine) = &*side else {
        anyhow::bail!("a server enqueues through its API");
    };
    let window = Window::new(bench.options.window, bench.channel.count().await?);
    let (batch, conversations) = (bench.options.batch, bench.options.conversations);
    let mut callers: JoinSet<Result<()>> = JoinSet::new();
    for caller in 0..bench.options.callers {
        let window = Arc::clone(&window);
        let engine = engine.clone();
        callers.spawn(async move {
            let mut number = caller * conversations / 7;
            while window.enter(batch).await {
                let at = moment::now();
                let messages: Result<Vec<_>> = (number..number + batch)
                    .map(|number| engine.message(&conversation(number % conversations), at))
                    .collect();
                engine.proactive.enqueue_all(messages?).await?;
                number += batch;
            }
            Ok(())
        });
    }
    let stretch = bench.measure(&window, None).await?;
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    bench.drain(window.owed.load(Ordering::Relaxed), side).await?;
    Ok(stretch)
}
