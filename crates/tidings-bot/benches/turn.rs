//! What the SDK itself costs in a plain turn: message, router, one reply, no state and no network; and what it costs to
//! remember the turn.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidings_activity::{Activity, ConversationAccount, ConversationReference, ResourceResponse};
use tidings_bot::{Adapter, Inbound, Outbound, Result, Router, TurnContext, async_trait};
use tidings_store::{Database, DatabaseOptions};

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

/// Turns of 64 conversations at once, with nothing remembered, in memory, and in a database on the disk.
fn at_once(criterion: &mut Criterion) {
    const CONVERSATIONS: u64 = 64;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = std::env::temp_dir().join(format!("tidings-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let options = DatabaseOptions::new(folder.join("tidings.db")).component(tidings_bot::MIGRATIONS);
    let database = Database::open(options).expect("a database");
    let plain = || {
        Adapter::builder()
            .outbound(Arc::new(Nowhere))
            .bot(Router::new().otherwise(start))
    };
    let mut number = 0;
    for (name, adapter) in [
        ("nothing remembered", plain().deduplication(None)),
        ("in memory", plain()),
        ("durable", plain().database(database.clone())),
    ] {
        let adapter = adapter.build().expect("an adapter");
        let mut group = criterion.benchmark_group("64 at once");
        group.throughput(Throughput::Elements(1));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|turns| {
                let each = turns.div_ceil(CONVERSATIONS);
                let tasks: Vec<Vec<Activity>> = (0..CONVERSATIONS)
                    .map(|conversation| {
                        (0..each)
                            .map(|_| {
                                number += 1;
                                let mut activity = activity("run", number);
                                activity.conversation =
                                    Some(ConversationAccount::new(conversation.to_string()));
                                activity
                            })
                            .collect()
                    })
                    .collect();
                let started = Instant::now();
                runtime.block_on(async {
                    let running: Vec<_> = tasks
                        .into_iter()
                        .map(|activities| {
                            let adapter = adapter.clone();
                            tokio::spawn(async move {
                                for activity in activities {
                                    let answer = adapter.process(Inbound::anonymous(activity)).await;
                                    assert_eq!(answer.map(|answer| answer.status).ok(), Some(200));
                                }
                            })
                        })
                        .collect();
                    for task in running {
                        task.await.expect("it ends");
                    }
                });
                started.elapsed()
            });
        });
        group.finish();
    }
    drop(database);
    let _ = std::fs::remove_dir_all(folder);
}

criterion_group!(benches, turn, at_once);
criterion_main!(benches);
