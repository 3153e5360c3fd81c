//! What is counted is shown, under the names that the operator's guide lists.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_proactive::{AttemptOutcome, BreakerState, BreakerStats, DeliveryState, WaitReason};

use super::*;
use crate::config::Config;

/// What an operator reads.
const GUIDE: &str = include_str!("../../../../docs/operations.md");

/// Everything has happened, and nothing is zero.
async fn busy() -> EngineStats {
    let database = Database::temporary([tidings_proactive::MIGRATIONS]).unwrap();
    let clock = Arc::new(tidings_store::SystemClock);
    let mut stats = Proactive::new(database, clock).stats().await;
    let mut backlog = Backlog::default();
    (
        backlog.scheduled,
        backlog.held,
        backlog.available,
        backlog.retryable,
    ) = (1_000_000, 2, 3, 4);
    backlog.oldest_available = Some(Duration::from_millis(1500));
    backlog.lag = Duration::from_millis(250);
    stats.backlog = Some(backlog);
    stats.accepted = 100;
    stats.claims = 90;
    stats.in_flight = 7;
    stats.lease_losses = 1;
    stats.takeovers = 5;
    stats.cycles = 1000;
    for (_, count) in &mut stats.attempts {
        *count = 11;
    }
    for (_, count) in &mut stats.ended {
        *count = 12;
    }
    for (_, count) in &mut stats.waits {
        *count = 13;
    }
    stats.breakers = vec![BreakerStats {
        host: "smba.example".to_owned(),
        tenant: "con\"toso".to_owned(),
        state: BreakerState::Probing,
    }];
    stats
}

fn shown(collector: impl Collector) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(collector));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

fn server() -> Server {
    Server {
        verdicts: None,
        heads_refused: 8,
        database: Database::temporary([]).unwrap().stats(),
    }
}

#[tokio::test]
async fn each_value_stands_under_its_name_and_labels() {
    let text = shown(Engine(busy().await));
    for line in [
        r#"tidings_deliveries{state="scheduled"} 1000000"#,
        r#"tidings_deliveries{state="retryable"} 4"#,
        r#"tidings_deliveries_oldest_age_seconds{state="available"} 1.5"#,
        r#"tidings_deliveries_oldest_age_seconds{state="retryable"} 0.0"#,
        "tidings_lanes_lag_seconds 0.25",
        "tidings_deliveries_accepted_total 100",
        r#"tidings_deliveries_ended_total{state="unknown"} 12"#,
        "tidings_deliveries_in_flight 7",
        "tidings_lanes_claimed_total 90",
        r#"tidings_attempts_total{outcome="delivered"} 11"#,
        r#"tidings_attempts_total{outcome="lost"} 11"#,
        r#"tidings_waits_total{reason="pacing"} 13"#,
        r#"tidings_breakers{host="smba.example",tenant="con\"toso",state="probing"} 1"#,
        "tidings_lease_losses_total 1",
        "tidings_lanes_taken_over_total 5",
        "tidings_dispatch_cycles_total 1000",
        "# TYPE tidings_deliveries gauge",
        "# TYPE tidings_attempts counter",
    ] {
        assert!(
            text.lines().any(|shown| shown == line),
            "{line} is missing in {text}"
        );
    }
    let times = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(times("tidings_attempts_total{"), AttemptOutcome::ALL.len() + 1);
    assert_eq!(times("tidings_waits_total{"), WaitReason::ALL.len());
    let finals = DeliveryState::ALL.into_iter().filter(|state| state.is_final());
    assert_eq!(times("tidings_deliveries_ended_total{"), finals.count());
}

#[tokio::test]
async fn every_name_is_shown() {
    let config = Config {
        app_id: Some("11111111-2222-4333-8444-555555555555".to_owned()),
        ..Config::default()
    };
    let authenticated = Server {
        verdicts: Some(config.authenticator().unwrap().unwrap().counts()),
        ..server()
    };
    let text = shown(authenticated) + &shown(Engine(busy().await));
    for metric in names::ALL {
        let start = match metric.labels.first() {
            Some(label) => format!("{}{{{label}=", metric.shown()),
            None => format!("{} ", metric.shown()),
        };
        assert!(
            text.lines().any(|line| line.starts_with(&start)),
            "{start} is missing in {text}"
        );
        assert!(text.contains(&format!("# HELP {} {}\n", metric.name, metric.help)));
    }
    let known = |line: &str| names::ALL.iter().any(|metric| line.starts_with(&metric.shown()));
    let stranger = text.lines().find(|line| !line.starts_with('#') && !known(line));
    assert_eq!(stranger, None);
}

#[tokio::test]
async fn without_a_database_the_counts_are_still_shown() {
    let mut stats = busy().await;
    stats.backlog = None;
    let text = shown(server()) + &shown(Engine(stats));
    assert!(!text.contains("tidings_deliveries{"), "{text}");
    assert!(
        text.contains("\ntidings_deliveries_accepted_total 100\n"),
        "{text}"
    );
    assert!(text.contains("\ntidings_http_heads_refused_total 8\n"), "{text}");
}

#[tokio::test]
async fn more_breakers_than_anybody_reads_are_left_out() {
    let mut stats = busy().await;
    let breaker = stats.breakers[0].clone();
    stats.breakers = vec![breaker; 1000];
    let text = shown(Engine(stats));
    assert_eq!(text.matches("\ntidings_breakers{").count(), EngineStats::BREAKERS);
}

#[test]
fn the_guide_lists_each_metric_with_its_labels() {
    let mut listed = BTreeMap::new();
    for row in GUIDE.lines().filter(|line| line.starts_with("| `tidings_")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, labels, unit, meaning] = cells[..] else {
            panic!("a row of four cells: {row}");
        };
        assert!(!unit.is_empty() && !meaning.is_empty(), "{row}");
        let labels: Vec<&str> = labels
            .split(", ")
            .map(|label| label.trim_matches('`'))
            .filter(|label| *label != "-")
            .collect();
        listed.insert(name.trim_matches('`').to_owned(), labels);
    }
    let ours: BTreeMap<String, Vec<&str>> = names::ALL
        .iter()
        .map(|metric| (metric.shown(), metric.labels.to_vec()))
        .collect();
    assert_eq!(listed, ours);
}
