//! When the process is killed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::timeout;

use crate::dice::Dice;
use crate::door::Door;
use crate::journal::Journal;
use crate::node::{Node, NodeOptions};

/// How long after a process is gone the channel may still read what it had sent.
const ECHO: Duration = Duration::from_millis(50);
/// How long a kill waits for the POST it aims at.
const AIM: Duration = Duration::from_secs(2);
/// The POSTs of a node that is told to stop in the middle of its work.
const BUSY: usize = 40;

/// A time in which a process was stopped or died, so that what it was sending is nobody's knowledge.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outage {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) what: String,
}

impl Outage {
    /// Whether it falls between two moments.
    pub(crate) fn is_between(&self, begin: Timestamp, end: Timestamp) -> bool {
        self.from <= end && begin <= self.until
    }
}

/// The moment of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So long after the process was started.
    Starting(Duration),
    /// So long after it was ready.
    Ready(Duration),
    /// At the so-manieth POST from then on, while the channel has not answered it or just has.
    Posting(usize),
    /// So long after it was told to stop.
    Stopping(Duration),
}

impl Moment {
    pub(crate) fn throw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..12 => Self::Starting(dice.within(Duration::from_millis(150))),
            12..22 => Self::Ready(dice.within(Duration::from_millis(20))),
            22..38 => Self::Ready(dice.within(Duration::from_millis(900))),
            38..90 => Self::Posting(1 + usize::try_from(dice.below(80)).unwrap()),
            _ => Self::Stopping(dice.within(Duration::from_millis(80))),
        }
    }
}

/// Starts a node and kills it at `moment`.
pub(crate) async fn start_and_kill(
    options: &NodeOptions,
    moment: Moment,
    door: &Door,
    journal: &Journal,
) -> Outage {
    let mut node = Node::start(options);
    if let Moment::Starting(wait) = moment {
        // Time itself: any moment of its start is what is tested.
        tokio::time::sleep(wait).await;
        return kill(&mut node, moment).await;
    }
    node.ready().await;
    door.open(&node.base);
    match moment {
        // Time itself: any moment is what is tested.
        Moment::Starting(wait) | Moment::Ready(wait) => tokio::time::sleep(wait).await,
        Moment::Posting(posts) => {
            // If there is so little to send, it is killed without.
            let _ = timeout(AIM, journal.grow(posts)).await;
        }
        Moment::Stopping(wait) => {
            let _ = timeout(AIM, journal.grow(BUSY)).await;
            node.signal("TERM").await;
            // Time itself: any moment of its end is what is tested.
            tokio::time::sleep(wait).await;
        }
    }
    let outage = kill(&mut node, moment).await;
    door.close(&node.base);
    outage
}

async fn kill(node: &mut Node, moment: Moment) -> Outage {
    let from = Timestamp::now();
    match moment {
        Moment::Stopping(_) => node.kill_or_find_ended().await,
        _ => node.kill().await,
    }
    Outage {
        from,
        until: Timestamp::now() + ECHO,
        what: format!("{moment:?}"),
    }
}
