//! How long one inbound activity takes to decode, and to encode again: a message from a Teams channel, about 1.2 kB,
//! with six properties that no field stands for. Decoding the same bytes into `serde_json::Value` is the yardstick.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use tidings_activity::Activity;

const TEAMS_MESSAGE: &[u8] = include_bytes!("teams-message.json");

fn teams_message(criterion: &mut Criterion) {
    let activity = Activity::from_slice(TEAMS_MESSAGE).expect("the message is an activity");
    let mut group = criterion.benchmark_group("teams-message");
    group.throughput(Throughput::Bytes(TEAMS_MESSAGE.len() as u64));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Activity::from_slice(black_box(TEAMS_MESSAGE)));
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| serde_json::to_vec(black_box(&activity)));
    });
    group.bench_function("decode-as-value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(TEAMS_MESSAGE)));
    });
    group.bench_function("reference", |bencher| {
        bencher.iter(|| black_box(&activity).reference());
    });
    group.finish();
}

criterion_group!(benches, teams_message);
criterion_main!(benches);
