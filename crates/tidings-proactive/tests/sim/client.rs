//! Those who owe: they put deliveries on record through whichever node is there.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tidings_activity::{Activity, ChannelAccount, ConversationAccount, ConversationReference};
use tidings_proactive::{Accepted, Enqueue, Proactive, ProactiveError, UnknownPolicy};

use crate::life::BEGINNING;
use crate::world::{World, lock};

/// A delivery that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its text.
    pub(crate) label: String,
    pub(crate) has_key: bool,
    /// Microseconds since the beginning.
    pub(crate) not_before: Option<u64>,
    /// The ids that were given for it. More than one only for a known key, and then the same.
    pub(crate) accepted: Vec<i64>,
}

/// Owes what the plan says, at random times within the troubles.
pub(crate) async fn run(world: Arc<World>, share: u64, of: u64) {
    let mut number = share;
    while number < world.plan.deliveries {
        let gap = world.plan.trouble.as_millis() / u128::from(world.plan.deliveries.max(1)) * u128::from(of);
        tokio::time::sleep(world.millis(0, u64::try_from(2 * gap).unwrap_or(1_000))).await;
        owe(&world, number).await;
        number += of;
    }
}

async fn owe(world: &World, number: u64) {
    let label = format!("delivery {number}");
    let lane = format!("lane {}", world.below(world.plan.lanes));
    let class = ["message", "reminder"][usize::try_from(world.below(2)).unwrap_or(0)];
    let policy = match world.chance(0.3) {
        true => UnknownPolicy::AtMostOnce,
        false => UnknownPolicy::AtLeastOnce,
    };
    let begins = world.time();
    let not_before = world.chance(0.2).then(|| begins + world.below(8_000_000));
    let expires_at = world
        .chance(0.15)
        .then(|| not_before.unwrap_or(begins) + 1_000_000 + world.below(15_000_000));
    let key = world.chance(0.4).then(|| format!("key {number}"));
    let asked = Asked {
        label: label.clone(),
        has_key: key.is_some(),
        not_before,
        accepted: Vec::new(),
    };
    let place = {
        let mut all = lock(&world.asked);
        all.push(asked);
        all.len() - 1
    };
    let ask = async |engine: Proactive| -> Result<Accepted, ProactiveError> {
        let mut enqueue = Enqueue::new(&engine, reference(&lane), &Activity::message(label.as_str()))?
            .class(class)
            .policy(policy);
        if let Some(at) = not_before {
            enqueue = enqueue.not_before(instant(at));
        }
        if let Some(at) = expires_at {
            enqueue = enqueue.expires_at(instant(at));
        }
        if let Some(key) = &key {
            enqueue = enqueue.dedupe_key(key);
        }
        enqueue.accept().await
    };
    // With a key it is safe to ask again; without one a client that does not know asks no more.
    let times = if key.is_some() { 1 + world.below(3) } else { 1 };
    for _ in 0..times {
        let engine = loop {
            let node = usize::try_from(world.below(world.plan.nodes as u64)).unwrap_or(0);
            if let Some(engine) = lock(&world.engines)[node].clone() {
                break engine;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        if let Ok(Ok(accepted)) = tokio::time::timeout(Duration::from_secs(10), ask(engine)).await {
            lock(&world.asked)[place].accepted.push(accepted.id.get());
        }
        tokio::time::sleep(world.millis(0, 500)).await;
    }
}

fn instant(micros: u64) -> Timestamp {
    let passed = SignedDuration::from_micros(i64::try_from(micros).unwrap_or(i64::MAX));
    Timestamp::from_second(BEGINNING)
        .and_then(|beginning| beginning.checked_add(passed))
        .unwrap_or(Timestamp::MAX)
}

fn reference(conversation: &str) -> ConversationReference {
    ConversationReference {
        user: Some(ChannelAccount::new("user", "User")),
        bot: Some(ChannelAccount::new("bot", "Bot")),
        conversation: Some(ConversationAccount::new(conversation)),
        channel_id: Some("sim".to_owned()),
        service_url: Some("http://127.0.0.1:1".to_owned()),
        ..ConversationReference::default()
    }
}
