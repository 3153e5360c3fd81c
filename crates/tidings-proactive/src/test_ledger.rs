//! Lanes and deliveries put into a database as a test needs them.

use jiff::Timestamp;
use tidings_store::{Database, StoreError, Tx, params};

use crate::MIGRATIONS;
use crate::delivery::DeliveryState;

/// An empty ledger of its own, on PostgreSQL with `TIDINGS_TEST_DATABASE=postgres`, else on SQLite.
pub(crate) fn database() -> Database {
    #[cfg(unix)]
    if std::env::var_os("TIDINGS_TEST_DATABASE").is_some_and(|name| name == "postgres") {
        return on_postgres();
    }
    Database::temporary([MIGRATIONS]).unwrap()
}

/// An empty ledger of its own on PostgreSQL.
#[cfg(unix)]
pub(crate) fn on_postgres() -> Database {
    let place = tidings_store::test_postgres::TestPostgres::shared().options();
    Database::open(place.component(MIGRATIONS)).unwrap()
}

/// A second of the test's time.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Runs a part of a test in a commit.
pub(crate) async fn write<T: Send + 'static>(
    database: &Database,
    work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    database.write(work).await.unwrap()
}

/// An open lane with nothing in it.
pub(crate) fn lane(tx: &Tx<'_>, channel: &str, conversation: &str) -> i64 {
    let lane = tx
        .insert(
            "INSERT INTO lanes (channel_id, conversation_id, tenant) VALUES (?1, ?2, '')",
            "id",
            params![channel, conversation],
        )
        .unwrap()
        .unwrap();
    tx.execute(
        "INSERT INTO lane_addresses (lane_id, host, reference) VALUES (?1, 'example.com', '{}')",
        params![lane],
    )
    .unwrap();
    lane
}

/// A delivery in a state, put on record at a second. A lane with something ready is to be claimed from then on.
pub(crate) fn delivery(tx: &Tx<'_>, lane: i64, class: &str, state: DeliveryState, second: i64) -> i64 {
    let micros = at(second).as_microsecond();
    let ended = state.is_final().then_some(micros);
    let starts = i64::from(matches!(
        state,
        DeliveryState::Sending | DeliveryState::Delivered | DeliveryState::Dead | DeliveryState::Unknown
    ));
    let activity = format!(r#"{{"type":"message","text":"of {second}"}}"#);
    let id = tx
        .insert(
            "INSERT INTO deliveries (lane_id, class, state, policy, activity, expires_at, starts, began_at, created_at,
                                     updated_at, ended_at)
             VALUES (?1, ?2, ?3, 'at_least_once', ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
            "id",
            params![
                lane,
                class,
                state.as_str(),
                activity,
                micros + 72 * 3_600 * 1_000_000_i64,
                starts,
                (starts > 0).then_some(micros),
                micros,
                ended
            ],
        )
        .unwrap()
        .unwrap();
    if !state.is_final() {
        tx.execute(
            "UPDATE lanes SET backlog = backlog + 1 WHERE id = ?1",
            params![lane],
        )
        .unwrap();
    }
    match state {
        DeliveryState::Sending => tx.execute(
            "UPDATE lanes SET node = 1, next_at = NULL WHERE id = ?1",
            params![lane],
        ),
        DeliveryState::Available | DeliveryState::Retryable => tx.execute(
            "UPDATE lanes SET next_at = coalesce(next_at, ?2) WHERE id = ?1 AND node IS NULL",
            params![lane, micros],
        ),
        _ => Ok(0),
    }
    .unwrap();
    id
}

/// What a claim does to a lane that is paused when its time has come.
pub(crate) fn put_off(tx: &Tx<'_>, lane: i64, head: i64, second: i64) {
    tx.execute(
        "UPDATE lanes SET next_at = ?2, wait_reason = 'paused' WHERE id = ?1",
        params![lane, i64::MAX / 2],
    )
    .unwrap();
    tx.execute(
        "INSERT INTO delivery_waits (delivery_id, since, until, reason) VALUES (?1, ?2, NULL, 'paused')",
        params![head, at(second).as_microsecond()],
    )
    .unwrap();
}

/// Sets a column of a delivery.
pub(crate) fn set(tx: &Tx<'_>, id: i64, column: &str, value: i64) {
    tx.execute(
        &format!("UPDATE deliveries SET {column} = ?2 WHERE id = ?1"),
        params![id, value],
    )
    .unwrap();
}

/// A number that a query gives.
pub(crate) fn number(tx: &Tx<'_>, sql: &str) -> i64 {
    tx.first(sql, &[], |row| row.get(0)).unwrap().unwrap()
}

/// A lane as the worker meets it: what is to hold whatever an operator does.
pub(crate) fn check_lanes(tx: &Tx<'_>) {
    for (sql, problem) in [
        (
            "SELECT count(*) FROM lanes WHERE backlog <>
             (SELECT count(*) FROM deliveries WHERE lane_id = lanes.id AND ended_at IS NULL)",
            "the backlog does not count what has not ended",
        ),
        (
            "SELECT count(*) FROM lanes WHERE next_at IS NOT NULL AND closed_reason IS NOT NULL",
            "a closed lane would be claimed",
        ),
        (
            "SELECT count(*) FROM lanes WHERE next_at = 4611686018427387903 AND NOT paused
             AND NOT EXISTS (SELECT 1 FROM pauses)",
            "a lane waits for ever",
        ),
        (
            "SELECT count(*) FROM lanes WHERE next_at IS NOT NULL AND NOT EXISTS
             (SELECT 1 FROM deliveries WHERE lane_id = lanes.id AND state IN ('available', 'retryable')
              AND due_at IS NULL)",
            "a lane without anything ready would be claimed",
        ),
        (
            "SELECT count(*) FROM deliveries WHERE due_at IS NOT NULL
             AND state NOT IN ('scheduled', 'held', 'retryable')",
            "a delivery has a time although it does not wait for one",
        ),
        (
            "SELECT count(*) FROM delivery_waits AS w JOIN deliveries AS d ON d.id = w.delivery_id
             WHERE w.until IS NULL AND d.ended_at IS NOT NULL",
            "an ended delivery still waits",
        ),
        (
            // Heads of classes that are ready, in lanes that nobody has and nobody has stopped.
            "SELECT count(*) FROM lanes WHERE next_at IS NULL AND node IS NULL AND NOT paused AND closed_reason IS NULL
             AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.lane_id = lanes.id
                         AND d.state IN ('available', 'retryable') AND d.due_at IS NULL AND NOT EXISTS
                         (SELECT 1 FROM deliveries AS first WHERE first.lane_id = d.lane_id AND first.class = d.class
                          AND first.state IN ('available', 'retryable')
                          AND (coalesce(first.place, first.id), first.id) < (coalesce(d.place, d.id), d.id)))",
            "a lane with something ready is forgotten",
        ),
    ] {
        assert_eq!(number(tx, sql), 0, "{problem}");
    }
}
