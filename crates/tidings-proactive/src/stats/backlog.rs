use std::time::Duration;

use jiff::Timestamp;
use tidings_store::{StoreError, Tx, params};

use super::age;

/// Deliveries in one state. The index on states leaves out the most frequent ones, and is used only by who says so.
const COUNT: &str =
    "SELECT count(*) FROM deliveries WHERE state = ?1 AND state <> 'delivered' AND state <> 'sending'";
const OLDEST: &str = "SELECT created_at FROM deliveries WHERE state = ?1 AND state <> 'delivered' AND state <> 'sending' \
     ORDER BY id LIMIT 1";
const READY_SINCE: &str = "SELECT next_at FROM lanes WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1";

/// What is owed and not being sent, in the whole database: every node reads the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Deliveries whose time has not come.
    pub scheduled: u64,
    /// Deliveries that something keeps back.
    pub held: u64,
    /// Deliveries that wait for their turn.
    pub available: u64,
    /// Deliveries that failed and are sent again.
    pub retryable: u64,
    /// How long ago the oldest of the available ones was put on record.
    pub oldest_available: Option<Duration>,
    /// How long ago the oldest of those that are sent again was put on record.
    pub oldest_retryable: Option<Duration>,
    /// How long a conversation in which something may be sent has been waiting for a node. More than a few seconds means
    /// that no node has a free place for it.
    pub lag: Duration,
}

impl Backlog {
    pub(super) fn read(tx: &Tx<'_>, now: Timestamp) -> Result<Backlog, StoreError> {
        let ready_since = tx.first(READY_SINCE, params![], |row| row.get(0))?;
        Ok(Backlog {
            scheduled: count(tx, "scheduled")?,
            held: count(tx, "held")?,
            available: count(tx, "available")?,
            retryable: count(tx, "retryable")?,
            oldest_available: oldest(tx, "available", now)?,
            oldest_retryable: oldest(tx, "retryable", now)?,
            lag: ready_since
                .and_then(|since| since_micros(since, now))
                .unwrap_or_default(),
        })
    }
}

fn count(tx: &Tx<'_>, state: &str) -> Result<u64, StoreError> {
    let count: Option<i64> = tx.first(COUNT, params![state], |row| row.get(0))?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

fn oldest(tx: &Tx<'_>, state: &str, now: Timestamp) -> Result<Option<Duration>, StoreError> {
    let since: Option<i64> = tx.first(OLDEST, params![state], |row| row.get(0))?;
    Ok(since.and_then(|since| since_micros(since, now)))
}

fn since_micros(since: i64, now: Timestamp) -> Option<Duration> {
    Some(age(Timestamp::from_microsecond(since).ok()?, now))
}

#[cfg(test)]
mod tests {
    use tidings_store::{Database, Migrations};

    use super::*;

    const TABLES: Migrations = Migrations {
        component: "proactive",
        postgres: &[],
        sqlite: &[
            include_str!("../../migrations/0001_jobs_and_deliveries.sql"),
            include_str!("../../migrations/0002_cheap_checks.sql"),
            include_str!("../../migrations/0003_identities.sql"),
            include_str!("../../migrations/0004_lanes.sql"),
        ],
    };

    const NOW: i64 = 1_800_000_000_000_000;
    const SECOND: i64 = 1_000_000;

    fn now() -> Timestamp {
        Timestamp::from_microsecond(NOW).unwrap()
    }

    fn deliver(tx: &Tx<'_>, state: &str, seconds_ago: i64) -> Result<(), StoreError> {
        let ended = (state == "dead" || state == "delivered").then_some(NOW);
        let at = NOW - seconds_ago * SECOND;
        tx.execute(
            "INSERT INTO deliveries (lane_id, class, state, policy, activity, expires_at, created_at, updated_at, ended_at)
             VALUES (1, '', ?1, 'at_least_once', '{}', ?2, ?3, ?3, ?4)",
            params![state, NOW + SECOND, at, ended],
        )?;
        Ok(())
    }

    fn lane(tx: &Tx<'_>, conversation: &str, ready_in_seconds: Option<i64>) -> Result<(), StoreError> {
        let next_at = ready_in_seconds.map(|seconds| NOW + seconds * SECOND);
        tx.execute(
            "INSERT INTO lanes (channel_id, conversation_id, tenant, next_at) VALUES ('test', ?1, '', ?2)",
            params![conversation, next_at],
        )?;
        Ok(())
    }

    #[tokio::test]
    async fn what_is_owed_is_counted_and_what_has_ended_is_not() {
        let database = Database::temporary([TABLES]).unwrap();
        let read = async |database: &Database| database.read(|tx| Backlog::read(tx, now())).await.unwrap();
        assert_eq!(read(&database).await, Backlog::default());
        database
            .write(|tx| {
                for (state, seconds_ago) in [
                    ("available", 40),
                    ("available", 4),
                    ("retryable", 60),
                    ("scheduled", 90),
                    ("scheduled", 90),
                    ("scheduled", 90),
                    ("held", 9),
                    ("sending", 99),
                    ("dead", 99),
                    ("delivered", 99),
                ] {
                    deliver(tx, state, seconds_ago)?;
                }
                lane(tx, "claimed or empty", None)?;
                lane(tx, "paced", Some(30))
            })
            .await
            .unwrap();
        let backlog = read(&database).await;
        assert_eq!(
            (
                backlog.scheduled,
                backlog.held,
                backlog.available,
                backlog.retryable
            ),
            (3, 1, 2, 1)
        );
        assert_eq!(backlog.oldest_available, Some(Duration::from_secs(40)));
        assert_eq!(backlog.oldest_retryable, Some(Duration::from_secs(60)));
        assert_eq!(backlog.lag, Duration::ZERO, "nothing may be sent yet");
        database.write(|tx| lane(tx, "ready", Some(-7))).await.unwrap();
        assert_eq!(read(&database).await.lag, Duration::from_secs(7));
    }

    #[tokio::test]
    async fn counting_reads_indexes_only() {
        let database = Database::temporary([TABLES]).unwrap();
        let plans = database
            .read(|tx| {
                let plan = |sql: &str| {
                    let steps = tx.all(
                        &format!("EXPLAIN QUERY PLAN {sql}"),
                        params!["available"],
                        |row| Ok(row.text(3)?.to_owned()),
                    )?;
                    Ok::<_, StoreError>(steps.join("; "))
                };
                let ready = tx.all(&format!("EXPLAIN QUERY PLAN {READY_SINCE}"), params![], |row| {
                    Ok(row.text(3)?.to_owned())
                })?;
                Ok([plan(COUNT)?, plan(OLDEST)?, ready.join("; ")])
            })
            .await
            .unwrap();
        assert!(plans[0].contains("deliveries_by_state"), "{plans:?}");
        assert!(
            plans[1].contains("deliveries_by_state") && !plans[1].contains("TEMP B-TREE"),
            "{plans:?}"
        );
        assert!(
            plans[2].contains("lanes_ready") && !plans[2].contains("TEMP B-TREE"),
            "{plans:?}"
        );
    }
}
