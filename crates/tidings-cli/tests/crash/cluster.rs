//! Several nodes on one PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tidings_store::test_postgres::TestPostgresOptions;
use tokio::time::timeout;

use crate::channel::Temper;
use crate::journal::Post;
use crate::killer::Outage;
use crate::node::{NodeOptions, PATIENCE};
use crate::run::{Run, serve};
use crate::settings::Settings;

/// What a dead node was sending goes on within this time, at the default lease.
const RESUMED: Duration = Duration::from_secs(20);
/// The POSTs that are under way when a node dies or stands still.
const UNDER_WAY: usize = 16;
/// Of which so many at least are sent again; the others were to be sent at most once.
const SENT_AGAIN: usize = 4;
/// What a node counts when a write of its own is refused because another has taken the conversation over.
const LOST_LEASES: &str = "tidings_lease_losses_total";
const ROUNDS: usize = 3;
/// How much the channel gets before the next node is told to stop.
const SERVED: usize = 150;

async fn run() -> Run {
    Run::new(Settings::of_environment(0), Temper::Calm).await
}

/// Waits until the journal fits.
async fn until(run: &Run, what: &str, patience: Duration, fits: impl Fn(&[Post]) -> bool) {
    let mut count = run.channel.journal.watch();
    let waited = timeout(patience, async {
        while !fits(&run.channel.journal.all()) {
            count.changed().await.unwrap();
        }
    });
    assert!(waited.await.is_ok(), "waited {patience:?} for {what}");
}

/// With the default lease: on a machine that has much to do, a short one may end although its node lives.
fn in_peace(options: NodeOptions) -> NodeOptions {
    NodeOptions {
        lease: None,
        ..options
    }
}

/// How often each text was posted.
fn times(posts: &[Post]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for text in posts.iter().filter_map(|post| post.text.as_deref()) {
        *times.entry(text).or_default() += 1;
    }
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_past_its_lease_writes_nothing_late() {
    let database = TestPostgresOptions::default().durable().start();
    let url = database.url();
    let mut run = run().await;
    let mut sleeper = serve(&run.node("sleeper", Some(&url)), &run.door).await;
    run.channel.hold();
    run.trade();
    until(&run, "POSTs of the first node", PATIENCE, |posts| {
        posts.len() >= UNDER_WAY
    })
    .await;

    let from = Timestamp::now();
    sleeper.signal("STOP").await;
    run.door.close(&sleeper.base);
    let posted = run.channel.journal.all();
    let sleepers: BTreeSet<&str> = times(&posted).into_keys().collect();
    let mut other = serve(&run.node("other", Some(&url)), &run.door).await;
    // What the sleeper was sending is unknown, so the other sends it again.
    until(&run, "the same from the other node", PATIENCE, |posts| {
        times(posts).values().filter(|times| **times > 1).count() >= SENT_AGAIN
    })
    .await;
    run.channel.release();
    let released = run.channel.journal.all().len();
    until(&run, "more from the other node", PATIENCE, |posts| {
        posts.len() > released + UNDER_WAY
    })
    .await;

    // It wakes to the answers to its POSTs and wants to put them on record.
    sleeper.signal("CONT").await;
    let refused = timeout(PATIENCE, async {
        while run.door.metric(&sleeper.base, LOST_LEASES).await < 1.0 {
            tokio::task::yield_now().await;
        }
    });
    assert!(refused.await.is_ok(), "no write of the sleeper was refused");
    run.door.open(&sleeper.base);
    run.outages.push(Outage {
        from,
        until: Timestamp::now(),
        what: "stood still".to_owned(),
    });
    let evidence = run.settle().await;
    let times = times(&evidence.posts);
    for delivery in &evidence.deliveries {
        let text = delivery.content.text.as_deref().unwrap_or_default();
        if sleepers.contains(text) && times[text] > 1 {
            let last = evidence
                .posts
                .iter()
                .rev()
                .find(|post| post.text.as_deref() == Some(text));
            assert_eq!(
                delivery.activity_id.as_ref(),
                last.map(|post| &post.activity_id),
                "`{text}`: the outcome on record is not that of the node that had taken it over"
            );
        }
    }
    sleeper.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_was_sending_goes_on_at_another() {
    let database = TestPostgresOptions::default().durable().start();
    let url = database.url();
    let mut run = run().await;
    let [first, second] = ["first", "second"].map(|name| in_peace(run.node(name, Some(&url))));
    let mut doomed = serve(&first, &run.door).await;
    run.channel.hold();
    run.trade();
    until(&run, "POSTs of the first node", PATIENCE, |posts| {
        posts.len() >= UNDER_WAY
    })
    .await;
    let mut heir = serve(&second, &run.door).await;
    let from = Timestamp::now();
    doomed.kill().await;
    run.door.close(&doomed.base);
    let posted = run.channel.journal.all();
    let stuck: BTreeSet<&str> = posted.iter().map(|post| post.conversation.as_str()).collect();
    run.outages.push(Outage {
        from,
        until: Timestamp::now(),
        what: "killed".to_owned(),
    });
    run.channel.release();
    until(
        &run,
        "POSTs to every conversation of the dead node",
        RESUMED,
        |posts| {
            let resumed: BTreeSet<&str> = posts[posted.len()..]
                .iter()
                .map(|post| post.conversation.as_str())
                .collect();
            resumed.is_superset(&stuck)
        },
    )
    .await;
    run.settle().await;
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_and_repeats_nothing() {
    let database = TestPostgresOptions::default().durable().start();
    let url = database.url();
    let mut run = run().await;
    let options = ["left", "right"].map(|name| in_peace(run.node(name, Some(&url))));
    let mut nodes = Vec::new();
    for options in &options {
        nodes.push(serve(options, &run.door).await);
    }
    run.trade();
    for _ in 0..ROUNDS {
        for (node, options) in nodes.iter_mut().zip(&options) {
            // It is told to stop in the middle of its work.
            run.until_posted(SERVED).await;
            run.door.close(&node.base);
            node.stop().await;
            *node = serve(options, &run.door).await;
        }
    }
    // Nothing died, so nothing may have been posted twice.
    run.settle().await;
    for mut node in nodes {
        node.stop().await;
    }
}
