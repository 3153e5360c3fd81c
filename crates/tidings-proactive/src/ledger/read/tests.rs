use tidings_store::{Database, ToColumn, Tx, params};

use super::*;
use crate::delivery::{Body, DeliveryFilter, DeliveryId, DeliveryState, Waiting};
use crate::ledger::{prune, rearm};
use crate::test_ledger::{at, database, delivery as deliver, lane, set, write};

const NOW: i64 = 1_000_000;

async fn listed(database: &Database, filter: DeliveryFilter, limit: usize) -> (Vec<i64>, Option<i64>) {
    let page = database
        .read(move |tx| page(tx, &filter, limit, at(NOW)))
        .await
        .unwrap();
    let ids = page.deliveries.iter().map(|delivery| delivery.id.get()).collect();
    (ids, page.next.map(DeliveryId::get))
}

/// Follows the cursors to the end.
async fn all(database: &Database, mut filter: DeliveryFilter, limit: usize) -> Vec<i64> {
    let mut found = Vec::new();
    loop {
        let (ids, next) = listed(database, filter.clone(), limit).await;
        found.extend(ids);
        match next {
            Some(next) => filter.before = Some(DeliveryId(next)),
            None => return found,
        }
    }
}

/// Three lanes in two channels, and in turn a delivery in every state in each of them: ids rise with seconds.
fn filled(tx: &Tx<'_>) -> Vec<(i64, &'static str, &'static str, DeliveryState, i64)> {
    let mut rows = Vec::new();
    let places = [("msteams", "a"), ("msteams", "b"), ("webchat", "a")];
    let lanes = places.map(|(channel, conversation)| lane(tx, channel, conversation));
    for second in 0..100 {
        let which = usize::try_from(second % 3).unwrap();
        let state = DeliveryState::ALL[usize::try_from(second % 12).unwrap()];
        let id = deliver(tx, lanes[which], "message", state, second * 3_600);
        rows.push((id, places[which].0, places[which].1, state, second * 3_600));
    }
    rows
}

#[tokio::test]
async fn every_filter_gives_what_fits_in_pages_of_any_size() {
    let database = database();
    let rows = write(&database, |tx| Ok(filled(tx))).await;
    let state_sets: [&[DeliveryState]; 5] = [
        &[],
        &[DeliveryState::Dead],
        &[DeliveryState::Sending, DeliveryState::Available],
        &[
            DeliveryState::Delivered,
            DeliveryState::Unknown,
            DeliveryState::Dead,
        ],
        &DeliveryState::ALL,
    ];
    for states in state_sets {
        for channel in [None, Some("msteams"), Some("webchat"), Some("sms")] {
            for conversation in [None, Some("a"), Some("z")] {
                for (since, until) in [
                    (None, None),
                    (Some(30), None),
                    (None, Some(60)),
                    (Some(30), Some(60)),
                ] {
                    let filter = DeliveryFilter {
                        states: states.to_vec(),
                        channel_id: channel.map(str::to_owned),
                        conversation_id: conversation.map(str::to_owned),
                        since: since.map(|hour: i64| at(hour * 3_600)),
                        until: until.map(|hour: i64| at(hour * 3_600)),
                        before: None,
                    };
                    let mut expected: Vec<i64> = rows
                        .iter()
                        .filter(|(_, its_channel, its_conversation, state, second)| {
                            (states.is_empty() || states.contains(state))
                                && channel.is_none_or(|channel| channel == *its_channel)
                                && conversation.is_none_or(|conversation| conversation == *its_conversation)
                                && since.is_none_or(|hour| *second >= hour * 3_600)
                                && until.is_none_or(|hour| *second < hour * 3_600)
                        })
                        .map(|(id, ..)| *id)
                        .collect();
                    expected.reverse();
                    for limit in [1, 7, 500] {
                        assert_eq!(
                            all(&database, filter.clone(), limit).await,
                            expected,
                            "{filter:?}"
                        );
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_empty_record_is_an_empty_page() {
    let database = database();
    assert_eq!(
        listed(&database, DeliveryFilter::default(), 10).await,
        (vec![], None)
    );
    let summary = database.read(summary).await.unwrap();
    assert_eq!(
        (
            summary.oldest,
            summary.states.iter().all(|(_, count)| *count == 0)
        ),
        (None, true)
    );
}

/// One delivered long ago, and then more others than one page looks at.
#[tokio::test]
async fn a_rare_state_is_found_over_several_bounded_pages() {
    let database = database();
    let needle = write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let needle = deliver(tx, lane, "message", DeliveryState::Delivered, 0);
        tx.execute(
            "INSERT INTO deliveries (lane_id, class, state, policy, activity, expires_at, created_at, updated_at, ended_at)
             WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 45000)
             SELECT ?1, 'message', 'cancelled', 'at_least_once', '{}', 0, n, n, n FROM counted",
            params![lane],
        )?;
        Ok(needle)
    })
    .await;
    let filter = DeliveryFilter {
        states: vec![DeliveryState::Delivered],
        ..DeliveryFilter::default()
    };
    let (ids, next) = listed(&database, filter.clone(), 50).await;
    assert_eq!((ids, next), (vec![], Some(25_002)));
    assert_eq!(all(&database, filter, 50).await, [needle]);
}

#[tokio::test]
async fn what_a_delivery_waits_for_is_told() {
    let database = database();
    let expected = write(&database, |tx| {
        let mut expected = Vec::new();
        let mut expect = |id: i64, wait: Option<(&str, Option<i64>)>| {
            let wait = wait.map(|(reason, until)| Waiting {
                reason: reason.to_owned(),
                until: until.map(at),
            });
            expected.push((id, wait));
        };
        let set_lane = |lane: i64, what: &str| {
            tx.execute(&format!("UPDATE lanes SET {what} WHERE id = ?1"), params![lane])
                .unwrap();
        };
        let micros = |second: i64| at(second).as_microsecond();
        let busy = lane(tx, "msteams", "busy");
        let sending = deliver(tx, busy, "message", DeliveryState::Sending, 1);
        expect(sending, None);
        expect(
            deliver(tx, busy, "message", DeliveryState::Available, 2),
            Some(("behind", None)),
        );
        let idle = lane(tx, "msteams", "idle");
        expect(deliver(tx, idle, "message", DeliveryState::Available, 3), None);
        let paced = lane(tx, "msteams", "paced");
        expect(
            deliver(tx, paced, "message", DeliveryState::Available, 4),
            Some(("pacing", Some(NOW + 5))),
        );
        set_lane(paced, &format!("next_at = {}", micros(NOW + 5)));
        let blocked = lane(tx, "msteams", "blocked");
        let retried = deliver(tx, blocked, "message", DeliveryState::Retryable, 5);
        set(tx, retried, "due_at", micros(NOW + 60));
        expect(retried, Some(("backoff", Some(NOW + 60))));
        expect(
            deliver(tx, blocked, "message", DeliveryState::Available, 6),
            Some(("behind", None)),
        );
        set_lane(blocked, "next_at = NULL");
        let paused = lane(tx, "msteams", "paused");
        expect(
            deliver(tx, paused, "message", DeliveryState::Available, 7),
            Some(("paused", None)),
        );
        set_lane(paused, "next_at = NULL, paused = TRUE");
        let sms = lane(tx, "sms", "stopped");
        expect(
            deliver(tx, sms, "message", DeliveryState::Available, 8),
            Some(("paused", None)),
        );
        tx.execute(
            "INSERT INTO pauses (scope, channel_id, since) VALUES ('channel', 'sms', 0)",
            &[],
        )?;
        let later = deliver(tx, idle, "message", DeliveryState::Scheduled, 9);
        set(tx, later, "due_at", micros(NOW + 90));
        expect(later, Some(("scheduled", Some(NOW + 90))));
        expect(
            deliver(tx, idle, "message", DeliveryState::Held, 10),
            Some(("held", None)),
        );
        expect(deliver(tx, idle, "message", DeliveryState::Dead, 11), None);
        Ok(expected)
    })
    .await;
    for (id, wait) in expected {
        let found = database
            .read(move |tx| one(tx, DeliveryId(id), at(NOW)))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.wait, wait, "{found:?}");
    }
}

#[tokio::test]
async fn the_detail_has_every_attempt_and_every_wait() {
    let database = database();
    let (delivered, sending, dead) = write(&database, |tx| {
        let (one, other) = (lane(tx, "msteams", "a"), lane(tx, "msteams", "b"));
        let delivered = deliver(tx, one, "message", DeliveryState::Delivered, 10);
        set(tx, delivered, "starts", 2);
        tx.execute(
            "INSERT INTO attempts (delivery_id, start, node, epoch, began_at, ended_at, outcome, status, code, message,
                                   retry_after_ms)
             VALUES (?1, 1, 7, 1, 1000000, 2000000, 'throttled', 429, 'TooManyRequests', 'slow down', 3000)",
            params![delivered],
        )?;
        tx.execute(
            "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, 2000000, 5000000, 'retry_after')",
            params![delivered],
        )?;
        let sending = deliver(tx, other, "message", DeliveryState::Sending, 11);
        Ok((delivered, sending, deliver(tx, one, "message", DeliveryState::Dead, 12)))
    })
    .await;
    let look = async |id| {
        database
            .read(move |tx| detail(tx, DeliveryId(id), at(NOW)))
            .await
            .unwrap()
    };
    let detail = look(delivered).await.unwrap();
    let told: Vec<_> = detail
        .attempts
        .iter()
        .map(|attempt| {
            (
                attempt.start,
                attempt.node,
                attempt.outcome.as_str(),
                attempt.retry_after_ms,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, Some(7), "throttled", Some(3_000)),
            (2, None, "delivered", None)
        ]
    );
    assert_eq!(detail.attempts[1].ended_at, Some(at(10)));
    assert_eq!((detail.waits.len(), detail.waits[0].until), (1, Some(at(5))));
    assert_eq!(
        detail.body,
        Body::Activity(r#"{"type":"message","text":"of 10"}"#.to_owned())
    );
    let going_on = look(sending).await.unwrap().attempts.remove(0);
    assert_eq!(
        (going_on.outcome.as_str(), going_on.node, going_on.ended_at),
        ("sending", Some(1), None)
    );
    assert_eq!(look(dead).await.unwrap().attempts, []);
    assert_eq!(look(99).await, None);
}

#[tokio::test]
async fn the_summary_counts_and_names_what_is_paused() {
    let database = database();
    write(&database, |tx| {
        filled(tx);
        tx.execute(
            "UPDATE lanes SET paused = TRUE, next_at = NULL WHERE conversation_id = 'b'",
            &[],
        )?;
        tx.execute(
            "INSERT INTO pauses (scope, channel_id, since) VALUES ('all', '', 1), ('channel', 'sms', 1)",
            &[],
        )
    })
    .await;
    let summary = database.read(summary).await.unwrap();
    for (state, count) in &summary.states {
        let place = DeliveryState::ALL
            .iter()
            .position(|other| other == state)
            .unwrap();
        assert_eq!(*count, if place < 4 { 9 } else { 8 }, "{state}");
    }
    assert!(
        !summary
            .states
            .iter()
            .any(|(state, _)| *state == DeliveryState::Delivered)
    );
    assert_eq!(summary.oldest, Some(at(2 * 3_600)));
    assert!(summary.paused.all);
    assert_eq!(summary.paused.channels, ["sms"]);
    let lane = &summary.paused.lanes[0];
    assert_eq!(
        (summary.paused.lanes.len(), lane.conversation_id.as_str()),
        (1, "b")
    );
    let oldest = database.read(oldest_waiting).await.unwrap();
    assert_eq!(oldest, Some(at(2 * 3_600)));
}

#[tokio::test]
async fn a_wait_is_over_when_something_happens() {
    let database = database();
    let (tried, cancelled, scheduled, _behind) = write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let wait = |id: i64, since: i64, until: Option<i64>| {
            tx.execute(
                "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, ?2, ?3, 'backoff')",
                params![id, at(since).as_microsecond(), until.map(|until| at(until).as_microsecond())],
            )
        };
        let tried = deliver(tx, lane, "message", DeliveryState::Delivered, 50);
        set(tx, tried, "ended_at", at(60).as_microsecond());
        wait(tried, 10, Some(20))?;
        wait(tried, 30, None)?;
        wait(tried, 40, Some(900))?;
        let cancelled = deliver(tx, lane, "message", DeliveryState::Cancelled, 70);
        wait(cancelled, 65, Some(900))?;
        let scheduled = deliver(tx, lane, "message", DeliveryState::Scheduled, 80);
        set(tx, scheduled, "due_at", at(90).as_microsecond());
        let behind = deliver(tx, lane, "message", DeliveryState::Expired, 90);
        set(tx, behind, "ended_at", at(99).as_microsecond());
        wait(behind, 95, Some(97))?;
        Ok((tried, cancelled, scheduled, behind))
    })
    .await;
    let waits = async |id: i64| {
        let detail = database.read(move |tx| detail(tx, DeliveryId(id), at(NOW))).await;
        let waits = detail.unwrap().unwrap().waits;
        let told: Vec<_> = waits
            .into_iter()
            .map(|wait| {
                (
                    wait.reason,
                    wait.since.as_second(),
                    wait.until.map(|until| until.as_second()),
                )
            })
            .collect();
        told
    };
    let backoff = |since, until| ("backoff".to_owned(), since, Some(until));
    assert_eq!(
        waits(tried).await,
        [backoff(10, 20), backoff(30, 50), backoff(40, 50)]
    );
    assert_eq!(waits(cancelled).await, [backoff(65, 70)]);
    assert_eq!(waits(scheduled).await, [("scheduled".to_owned(), 80, Some(90))]);
}

/// No statement reads more of the record than it gives, however long that is.
#[tokio::test]
async fn nothing_is_found_by_scanning() {
    // As SQLite plans it.
    let database = Database::temporary([crate::MIGRATIONS]).unwrap();
    let statements = page::STATEMENTS
        .into_iter()
        .chain(summary::STATEMENTS)
        .chain([
            (detail::BY_ID, "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)"),
            (
                detail::ATTEMPTS,
                "SEARCH attempts USING PRIMARY KEY (delivery_id=?)",
            ),
            (
                detail::WAITS,
                "SEARCH delivery_waits USING PRIMARY KEY (delivery_id=?)",
            ),
            (rearm::FIRST_HEAD, "deliveries_ready (lane_id=?)"),
            (rearm::NEXT_HEAD, "deliveries_ready (lane_id=? AND class>?)"),
            (
                crate::ledger::operate::PUT_OFF,
                "lanes_ready (next_at=? AND rowid>?)",
            ),
        ])
        .chain(prune::STATEMENTS);
    let mut problems = Vec::new();
    for (sql, way) in statements {
        let plan = database
            .read(move |tx| {
                let nothing = Option::<i64>::None;
                let parameters: Vec<&dyn ToColumn> = vec![&nothing; 50];
                let count = (1..=50)
                    .rev()
                    .find(|number| sql.contains(&format!("?{number}")))
                    .unwrap_or(0);
                tx.all(
                    &format!("EXPLAIN QUERY PLAN {sql}"),
                    &parameters[..count],
                    |row| row.get::<String>(3),
                )
            })
            .await
            .unwrap()
            .join("; ");
        if !plan.contains(way) {
            problems.push(format!("{sql}: {plan}"));
        }
        for slow in ["SCAN d", "SCAN lanes;", "TEMP B-TREE"] {
            // An index that has few rows may be walked.
            let scans = plan.contains(slow) && !plan.contains("deliveries_sending");
            if scans {
                problems.push(format!("{sql}: {plan}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Teams takes 60 messages of a conversation in half a minute, and 50 requests of a tenant in a second.
#[tokio::test]
async fn a_batch_is_predicted_by_the_limits_of_its_channels() {
    let database = database();
    let (in_one, in_many, elsewhere) = write(&database, |tx| {
        let one = lane(tx, "msteams", "one");
        let in_one = (0..121).map(|_| deliver(tx, one, "message", DeliveryState::Available, NOW));
        let in_one: Vec<i64> = in_one.collect();
        let in_many: Vec<i64> = (0..200)
            .map(|number| {
                let lane = lane(tx, "msteams", &number.to_string());
                deliver(tx, lane, "message", DeliveryState::Available, NOW)
            })
            .collect();
        let other = lane(tx, "webchat", "a");
        Ok((
            in_one,
            in_many,
            deliver(tx, other, "message", DeliveryState::Available, NOW),
        ))
    })
    .await;
    let predict = async |ids: Vec<i64>| {
        let finish = database.read(move |tx| predicted_finish(tx, &ids, at(NOW))).await;
        finish
            .unwrap()
            .map(|finish| finish.duration_since(at(NOW)).as_secs())
    };
    let seconds = predict(in_one).await.unwrap();
    assert!((54..=66).contains(&seconds), "{seconds}");
    let seconds = predict(in_many).await.unwrap();
    assert!((2..=4).contains(&seconds), "{seconds}");
    assert_eq!(predict(vec![elsewhere]).await, None);
    assert_eq!(predict(vec![]).await, None);
}
