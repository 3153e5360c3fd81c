//! The guide's jobs on a server that does nothing else: from `done` to the proactive message.

use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;

use super::Bench;
use crate::channel::Desk;
use crate::finding::Goal;
use crate::served::Served;
use crate::tally::histogram;

const ROUNDS: u64 = 500;
const WARM_UP: u64 = 50;

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let home = bench.place.home()?;
    let mut served = Served::start(bench.options.tidings.as_ref(), home).await?;
    // In this process, so that both ends of the time are taken with one clock.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let service_url = format!("http://{}/", listener.local_addr()?);
    let desk = Desk::new();
    let mut told = desk.watch();
    let serving = tokio::spawn(desk.serve(listener));
    let mut times = histogram();
    for round in 0..WARM_UP + ROUNDS {
        let started = served
            .say(&format!("run-{round}"), "jobs", &service_url, "run")
            .await?;
        let number = started
            .strip_prefix("We're starting job ")
            .and_then(|rest| rest.split(' ').next())
            .with_context(|| format!("the bot said {started:?}"))?;
        told.mark_unchanged();
        let since = Instant::now();
        let (id, done) = (format!("done-{round}"), format!("done {number}"));
        let said = served.say(&id, "jobs", &service_url, &done);
        let (said, come) = tokio::join!(said, async { told.changed().await.map(|()| since.elapsed()) });
        said?;
        if round >= WARM_UP {
            times.saturating_record(u64::try_from(come?.as_micros()).unwrap_or(u64::MAX));
        }
    }
    serving.abort();
    let p50 = times.value_at_quantile(0.5) as f64 / 1000.0;
    bench
        .findings
        .add("jobs", "done to message, p50", p50, "ms", Some(Goal::AtMost(5.0)));
    let p99 = times.value_at_quantile(0.99) as f64 / 1000.0;
    bench
        .findings
        .add("jobs", "done to message, p99", p99, "ms", None);
    served.stop().await
}
