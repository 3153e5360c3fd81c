use tidings_store::ManualClock;

use super::*;
use crate::schema;

fn audit(rows: i64, age: SignedDuration) -> (Audit, ManualClock) {
    let clock = ManualClock::new("2026-11-27T12:00:00Z".parse().unwrap());
    let audit = Audit {
        bounds: Bounds {
            rows,
            age,
            pruned_every: 1,
        },
        ..Audit::new(schema::test_database(), Arc::new(clock.clone()))
    };
    (audit, clock)
}

async fn add(audit: &Audit, target: &str) -> i64 {
    let begun = Use {
        method: "POST".to_owned(),
        remote_address: Some("192.0.2.7".parse().unwrap()),
        ..Use::command(Scope::JobsWrite, "/api/v1/jobs/{number}/complete").target(target)
    };
    audit.begin(begun).await.unwrap()
}

async fn targets(audit: &Audit) -> Vec<String> {
    let page = audit.page(100, None).await.unwrap();
    page.entries.into_iter().map(|entry| entry.target).collect()
}

#[tokio::test]
async fn a_use_is_on_record_at_once_and_its_result_is_added() {
    let (audit, _) = audit(10, MAX_AGE);
    let id = add(&audit, "7").await;
    let entry = |status| AuditEntry {
        id,
        at: "2026-11-27T12:00:00Z".parse().unwrap(),
        key_id: "local".to_owned(),
        key_name: "local".to_owned(),
        scope: "jobs:write".to_owned(),
        method: "POST".to_owned(),
        route: "/api/v1/jobs/{number}/complete".to_owned(),
        target: "7".to_owned(),
        status,
        remote_address: Some("192.0.2.7".to_owned()),
    };
    assert_eq!(audit.page(1, None).await.unwrap().entries, [entry(None)]);
    audit.settle(id, 404, None);
    assert_eq!(audit.page(1, None).await.unwrap().entries, [entry(Some(404))]);
    audit.settle(id, 200, Some("8".to_owned()));
    assert_eq!(targets(&audit).await, ["8"]);
}

#[tokio::test]
async fn the_oldest_rows_go_when_there_are_too_many() {
    let (audit, _) = audit(3, MAX_AGE);
    for (target, expected) in [
        ("1", vec!["1"]),
        ("2", vec!["2", "1"]),
        ("3", vec!["3", "2", "1"]),
        ("4", vec!["4", "3", "2"]),
        ("5", vec!["5", "4", "3"]),
    ] {
        add(&audit, target).await;
        assert_eq!(targets(&audit).await, expected);
    }
}

#[tokio::test]
async fn how_many_ended_is_on_record_for_whoever_looks() {
    let (audit, _) = audit(100, MAX_AGE);
    for round in 0..20 {
        let mut ids = Vec::new();
        for _ in 0..round {
            ids.push(add(&audit, "").await);
        }
        for id in &ids {
            audit.settle(*id, 200, Some(format!("{id} of {round}")));
        }
        let page = audit.page(ids.len(), None).await.unwrap();
        for (entry, id) in page.entries.iter().zip(ids.iter().rev()) {
            let expected = (*id, Some(200), format!("{id} of {round}"));
            assert_eq!((entry.id, entry.status, entry.target.clone()), expected);
        }
    }
}

#[tokio::test]
async fn there_are_never_more_rows_than_allowed_however_seldom_they_are_pruned() {
    let (mut audit, _) = audit(10, MAX_AGE);
    audit.bounds.pruned_every = 4;
    for number in 1..=30_usize {
        add(&audit, &number.to_string()).await;
        let targets = targets(&audit).await;
        assert!(
            (number.min(7)..=10).contains(&targets.len()),
            "{number}: {targets:?}"
        );
        assert_eq!(targets[0], number.to_string());
    }
}

#[tokio::test]
async fn rows_go_when_they_are_too_old_and_numbers_are_not_used_again() {
    let (audit, clock) = audit(10, SignedDuration::from_secs(60));
    let first = add(&audit, "1").await;
    clock.advance(SignedDuration::from_secs(60));
    add(&audit, "2").await;
    assert_eq!(targets(&audit).await, ["2", "1"]);
    clock.advance(SignedDuration::from_micros(1));
    add(&audit, "3").await;
    assert_eq!(targets(&audit).await, ["3", "2"]);
    clock.advance(SignedDuration::from_hours(1));
    assert_eq!(add(&audit, "4").await, first + 3);
    assert_eq!(targets(&audit).await, ["4"]);
}

#[tokio::test]
async fn pages_follow_their_cursor_while_rows_are_added() {
    let (audit, _) = audit(100, MAX_AGE);
    for number in 1..=5 {
        add(&audit, &number.to_string()).await;
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = audit.page(2, cursor).await.unwrap();
        seen.extend(page.entries.into_iter().map(|entry| entry.target));
        add(&audit, "later").await;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["5", "4", "3", "2", "1"]);
    let exact = audit.page(8, None).await.unwrap();
    assert_eq!((exact.entries.len(), exact.next), (8, None));
}
