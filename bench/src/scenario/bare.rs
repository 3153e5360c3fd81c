//! POSTs to the channel and nothing else.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;

use super::Bench;
use crate::engine::activity;
use crate::load::{Requests, Window, closed_loop};
use crate::served::conversation;

/// What the engine's POSTs look like to the channel.
struct Posts {
    conversations: u64,
}

impl Requests for Posts {
    fn path(&self, number: u64) -> String {
        format!(
            "/v3/conversations/{}/activities",
            conversation(number % self.conversations)
        )
    }

    fn body(&self, _: u64, at: u64) -> Bytes {
        activity(at).to_string().into()
    }

    fn status(&self) -> u16 {
        200
    }

    fn messages(&self) -> u64 {
        1
    }
}

pub(super) async fn run(bench: &mut Bench) -> Result<()> {
    let taken = bench.channel.count().await?;
    // Its own connections are what bounds it.
    let window = Window::new(u64::MAX / 2, taken);
    let posts = Arc::new(Posts {
        conversations: bench.options.conversations,
    });
    let connections = bench.options.connections;
    let posting = tokio::spawn(closed_loop(
        bench.channel.address,
        connections,
        Arc::clone(&window),
        posts,
    ));
    let stretch = bench.measure(&window, None).await?;
    let took = posting.await??;
    bench.findings.add("bare", "rate", stretch.rate(), "POST/s", None);
    let cpu = stretch.to.usage.since(stretch.from.usage).cpu.as_micros() as f64;
    bench
        .findings
        .add("bare", "CPU of the process", stretch.each(cpu), "us/msg", None);
    bench.percentiles("bare", "POST to answer", &took, None);
    Ok(())
}
