//! What the SDK itself costs in a plain turn: message, router, one reply, no state and no network.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use tidings_activity::{Activity, ConversationReference, ResourceResponse};
use tidings_bot::{Adapter, Inbound, Outbound, Result, Router, TurnContext, async_trait};

/// Takes everything.
struct Nowhere;

#[async_trait]
impl Outbound for Nowhere {
    async fn send(&self, activity: &Activity) -> Result<ResourceResponse> {
        black_box(activity);
        Ok(ResourceResponse::new("out-1"))
    }

    async fn update(&self, _activity: &Activity) -> Result<ResourceResponse> {
        Ok(ResourceResponse::default())
    }

    async fn delete(&self, _reference: &ConversationReference) -> Result<()> {
        Ok(())
    }
}

async fn start(turn: &mut TurnContext) -> Result<()> {
    turn.say("We're starting a job for you.").await
}

async fn done(turn: &mut TurnContext, job: tidings_bot::Capture<u64>) -> Result<()> {
    turn.say(format!("Completing job {}.", job.0)).await
}

fn activity(text: &str, number: u64) -> Activity {
    let json = format!(
        r#"{{"type":"message","text":"{text}","id":"in-{number}","timestamp":"2026-11-22T07:00:00.000Z",
        "serviceUrl":"http://127.0.0.1:9000/","channelId":"emulator","locale":"en-US",
        "from":{{"id":"user-1","name":"User 1","role":"user"}},"conversation":{{"id":"conversation-1"}},
        "recipient":{{"id":"bot","name":"Bot","role":"bot"}}}}"#
    );
    Activity::from_slice(json.as_bytes()).expect("a valid activity")
}

fn turn(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let router = Router::new()
        .message("done {job}", done)
        .message(["run", "run job"], start)
        .otherwise(start);
    let adapter = Adapter::builder()
        .outbound(Arc::new(Nowhere))
        .bot(router)
        .build()
        .expect("an adapter");
    let mut number = 0;
    for text in ["run", "done 7"] {
        criterion.bench_function(&format!("plain turn: {text}"), |bencher| {
            bencher.iter_custom(|turns| {
                let mut activities = Vec::new();
                for _ in 0..turns {
                    number += 1;
                    activities.push(activity(text, number));
                }
                // One task for all, as a connection is in a server.
                runtime.block_on(async {
                    let started = Instant::now();
                    for activity in activities {
                        let answer = adapter.process(Inbound::anonymous(activity)).await;
                        assert_eq!(answer.map(|answer| answer.status).ok(), Some(200));
                    }
                    started.elapsed()
                })
            });
        });
    }
}

criterion_group!(benches, turn);
criterion_main!(benches);
