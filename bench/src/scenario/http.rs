//! The same through the server's API: batches, and one message a request in a closed and in an open loop.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use serde_json::json;

use super::{Bench, Side};
use crate::arguments::Store;
use crate::finding::Goal;
use crate::load::{Requests, Window, closed_loop, open_loop};
use crate::served::{Served, delivery};

/// Deliveries, so many a request.
struct Deliveries {
    conversations: u64,
    batch: u64,
}

impl Requests for Deliveries {
    fn path(&self, _: u64) -> String {
        "/api/v1/deliveries".to_owned()
    }

    fn body(&self, number: u64, at: u64) -> Bytes {
        let first = number * self.batch;
        let all: Vec<_> = (first..first + self.batch)
            .map(|number| delivery(number % self.conversations, at))
            .collect();
        let body = match all.as_slice() {
            [one] => one.to_string(),
            all => json!({ "deliveries": all }).to_string(),
        };
        body.into()
    }

    fn status(&self) -> u16 {
        202
    }

    fn messages(&self) -> u64 {
        self.batch
    }
}

async fn served(bench: &Bench) -> Result<Box<Served>> {
    let home = bench.place.home()?;
    let mut served = Served::start(bench.options.tidings.as_ref(), home).await?;
    served
        .introduce(bench.options.conversations, &bench.channel.service_url())
        .await?;
    Ok(Box::new(served))
}

pub(super) async fn batch(bench: &mut Bench) -> Result<()> {
    let (callers, batch) = (bench.options.callers, bench.options.batch);
    let goal = bench.goal(Goal::AtLeast(12_000.0), Goal::AtLeast(6_000.0));
    closed(bench, "batch", callers, batch, goal).await
}

pub(super) async fn single(bench: &mut Bench) -> Result<()> {
    let connections = bench.options.connections;
    closed(bench, "single", connections, 1, None).await
}

async fn closed(
    bench: &mut Bench,
    scenario: &'static str,
    connections: u64,
    batch: u64,
    goal: Option<Goal>,
) -> Result<()> {
    let served = served(bench).await?;
    let (address, pid) = (served.address, served.pid());
    let mut side = Side::Server(served);
    let window = Window::new(bench.options.window, bench.channel.count().await?);
    let requests = Arc::new(Deliveries {
        conversations: bench.options.conversations,
        batch,
    });
    let enqueuing = tokio::spawn(closed_loop(address, connections, Arc::clone(&window), requests));
    let stretch = bench.measure(&window, pid).await?;
    let took = enqueuing.await??;
    bench
        .drain(window.owed.load(Ordering::Relaxed), &mut side)
        .await?;
    bench.report(scenario, &stretch, goal).await?;
    bench.percentiles(scenario, "request to durable", &took, None);
    side.stop().await
}

pub(super) async fn open(bench: &mut Bench) -> Result<()> {
    let rate = match bench.options.rate {
        Some(rate) => rate,
        None => {
            let capacity = bench.findings.value("single", "rate");
            (capacity.context("name `single` beside `open`, or give --rate")? / 2.0) as u64
        }
    };
    let served = served(bench).await?;
    let (address, pid) = (served.address, served.pid());
    let mut side = Side::Server(served);
    let before = bench.channel.count().await?;
    let connections = bench.options.connections;
    let deliveries = || {
        Arc::new(Deliveries {
            conversations: bench.options.conversations,
            batch: 1,
        })
    };
    let warm_up = bench.duration() / 5;
    open_loop(address, connections, rate, warm_up, deliveries()).await?;
    bench.channel.again().await?;
    let from = bench.place.meter(pid)?;
    let took = open_loop(address, connections, rate, bench.duration(), deliveries()).await?;
    let to = bench.place.meter(pid)?;
    let owed = rate * (warm_up.as_secs() + bench.duration().as_secs());
    bench.drain(before + owed, &mut side).await?;
    bench.findings.add("open", "rate", rate as f64, "msg/s", None);
    let p99 = (bench.options.store == Store::Sqlite).then_some(5.0);
    bench.percentiles("open", "intended to durable", &took, p99);
    let lateness = bench.channel.tally().await?.lateness()?;
    bench.percentiles("open", "intended to POST", &lateness, None);
    let cpu = to.usage.since(from.usage).cpu.as_micros() as f64 / took.len().max(1) as f64;
    bench
        .findings
        .add("open", "CPU of the process", cpu, "us/msg", None);
    side.stop().await
}
