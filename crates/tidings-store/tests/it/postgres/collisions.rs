//! Writers that meet.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use serde_json::json;
use tidings_store::test_postgres::TestPostgres;
use tidings_store::{
    Batch, Database, Document, DocumentChange, Step, Storage, StoreError, StoreErrorKind, Tx, params,
};
use tokio::task::JoinSet;

use crate::notes::{self, NOTES};

fn database() -> Database {
    Database::open(TestPostgres::shared().options().component(NOTES)).unwrap()
}

fn document(count: u64) -> Document {
    Document::encode(&json!({ "count": count })).unwrap()
}

#[tokio::test]
async fn of_two_writers_with_one_etag_exactly_one_conflicts() {
    let database = database();
    for round in 0..40 {
        let etag = database.write_document("key", document(round)).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let (database, document) = (database.clone(), document(writer).with_etag(etag.clone()));
            writers.spawn(async move { database.write_document("key", document).await });
        }
        let results = writers.join_all().await;
        let written = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(written, 1, "{results:?}");
        assert!(
            results
                .iter()
                .flat_map(|result| result.as_ref().err())
                .all(StoreError::is_conflict)
        );
    }
}

#[tokio::test]
async fn a_write_and_a_delete_with_one_etag_do_not_both_happen() {
    let database = database();
    for round in 0..40 {
        let etag = database.write_document("key", document(round)).await.unwrap();
        let write = database.write_document("key", document(1).with_etag(etag));
        let (written, deleted) = tokio::join!(write, database.delete(&["key"]));
        deleted.unwrap();
        assert!(written.is_ok() || written.is_err_and(|error| error.is_conflict()));
        assert_eq!(database.read_document("key").await.unwrap(), None);
    }
}

#[tokio::test]
async fn batches_that_share_keys_in_any_order_do_not_block_each_other() {
    let database = database();
    let names: Vec<String> = (0..10).map(|number| format!("key/{number}")).collect();
    let mut writers = JoinSet::new();
    for writer in 0..40 {
        let mut changes: Vec<(String, Document)> = names
            .iter()
            .map(|name| (name.clone(), document(writer)))
            .collect();
        if writer % 2 == 0 {
            changes.reverse();
        }
        let database = database.clone();
        writers.spawn(async move { Storage::write(&database, changes).await });
    }
    for result in writers.join_all().await {
        assert_eq!(result.unwrap().len(), names.len());
    }
}

#[tokio::test]
async fn who_gives_way_in_a_deadlock_is_told_to_repeat() {
    let database = database();
    notes::add(database.clone(), "a").await.unwrap();
    notes::add(database.clone(), "b").await.unwrap();
    let both_inside = Arc::new(Barrier::new(2));
    let update = |first: &'static str, second: &'static str| {
        let (database, both_inside) = (database.clone(), both_inside.clone());
        let work = move |tx: &Tx<'_>| {
            let update = "UPDATE notes SET text = text || '+' WHERE substr(text, 1, 1) = ?1";
            tx.execute("SET LOCAL deadlock_timeout TO '10ms'", &[])?;
            tx.execute(update, params![first])?;
            both_inside.wait();
            tx.execute(update, params![second])
        };
        async move { database.write(work).await }
    };
    let (one, other) = tokio::join!(tokio::spawn(update("a", "b")), tokio::spawn(update("b", "a")));
    let (done, failed): (Vec<_>, Vec<_>) = [one.unwrap(), other.unwrap()]
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((done.len(), failed.len()), (1, 1));
    let error = failed[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Retry, "{error}");
    assert!(error.to_string().contains("40P01"), "{error}");
    assert_eq!(notes::all(&database).await, ["a+", "b+"]);
}

/// Two of these with the notes the other way round block each other the first time that they run.
fn crosswise(
    both_inside: &Arc<Barrier>,
    first: &'static str,
    second: &'static str,
) -> impl FnMut(&Tx<'_>) -> Result<(), StoreError> + Send + 'static {
    let mut both_inside = Some(both_inside.clone());
    move |tx| {
        let update = "UPDATE notes SET text = text || '+' WHERE substr(text, 1, 1) = ?1";
        tx.execute("SET LOCAL deadlock_timeout TO '10ms'", &[])?;
        tx.execute(update, params![first])?;
        if let Some(both_inside) = both_inside.take() {
            both_inside.wait();
        }
        tx.execute(update, params![second])?;
        Ok(())
    }
}

#[tokio::test]
async fn what_can_be_repeated_is_repeated_after_a_deadlock() {
    let database = database();
    notes::add(database.clone(), "a").await.unwrap();
    notes::add(database.clone(), "b").await.unwrap();
    let both_inside = Arc::new(Barrier::new(2));
    let (one, other) = tokio::join!(
        database.write_repeatable(crosswise(&both_inside, "a", "b")),
        database.write_repeatable(crosswise(&both_inside, "b", "a")),
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(notes::all(&database).await, ["a++", "b++"]);
    assert_eq!(database.stats().failures, 0);
}

#[tokio::test]
async fn what_always_gives_way_is_told_to_repeat_in_the_end() {
    let database = database();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let raise = "DO $$ BEGIN RAISE EXCEPTION 'it gave way' USING ERRCODE = '40P01'; END $$";
    let error = database
        .write_repeatable(move |tx| {
            counted.fetch_add(1, Ordering::Relaxed);
            notes::insert(tx, "never")?;
            tx.script(raise)
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Retry, "{error}");
    assert_eq!(runs.load(Ordering::Relaxed), 5);
    assert!(notes::all(&database).await.is_empty());
}

struct Crosswise<F>(F);

impl<F: FnMut(&Tx<'_>) -> Result<(), StoreError> + Send + 'static> Step for Crosswise<F> {
    fn write(&mut self, tx: &Tx<'_>) -> Result<(), StoreError> {
        self.0(tx)
    }
}

#[tokio::test]
async fn batches_whose_steps_block_each_other_are_both_kept() {
    let database = database();
    notes::add(database.clone(), "a").await.unwrap();
    notes::add(database.clone(), "b").await.unwrap();
    let both_inside = Arc::new(Barrier::new(2));
    let batch = |key: &str, first, second| Batch {
        documents: vec![DocumentChange::Write {
            key: key.to_owned(),
            document: document(1),
        }],
        steps: vec![Box::new(Crosswise(crosswise(&both_inside, first, second)))],
    };
    let (one, other) = tokio::join!(
        database.commit(batch("one", "a", "b")),
        database.commit(batch("other", "b", "a")),
    );
    assert_eq!((one.unwrap().etags.len(), other.unwrap().etags.len()), (1, 1));
    assert_eq!(notes::all(&database).await, ["a++", "b++"]);
    let documents = Storage::read(&database, &["one", "other"]).await.unwrap();
    assert_eq!(documents.len(), 2);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on() {
    let options = TestPostgres::shared().options().writers(1);
    let options = options
        .component(NOTES)
        .statement_timeout(Duration::from_millis(50));
    let database = Database::open(options).unwrap();
    let error = database
        .write(|tx| {
            notes::insert(tx, "never")?;
            // Time itself: a statement that is too slow is what is tested.
            tx.exists("SELECT pg_sleep(600)", &[])
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy, "{error}");
    assert!(notes::all(&database).await.is_empty());
}

#[tokio::test]
async fn an_error_that_is_passed_over_still_fails_the_operation() {
    let database = database();
    let error = database
        .write(|tx| {
            notes::insert(tx, "before")?;
            let _ = tx.execute("INSERT INTO notes (text) VALUES (NULL)", &[]);
            let refused = notes::insert(tx, "after").unwrap_err();
            assert!(refused.to_string().contains("23502"), "{refused}");
            Ok(())
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("23502"), "{error}");
    assert!(notes::all(&database).await.is_empty());
}

#[tokio::test]
async fn errors_do_not_show_what_users_wrote() {
    let database = database();
    let insert = |tx: &Tx<'_>| {
        tx.execute("CREATE UNIQUE INDEX IF NOT EXISTS once ON notes (text)", &[])?;
        notes::insert(tx, "the secret")?;
        notes::insert(tx, "the secret")
    };
    let error = database.write(insert).await.unwrap_err();
    let StoreError::Postgres(words) = &error else {
        panic!("{error}")
    };
    assert_eq!(words.code(), "23505");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_parameter_that_does_not_fit_fails_before_it_is_sent() {
    let database = database();
    let result = database.write(|tx| {
        let error = tx
            .execute("INSERT INTO notes (text) VALUES (?1)", params![7])
            .unwrap_err();
        assert!(error.to_string().contains("CAST"), "{error}");
        let error = tx
            .execute("INSERT INTO notes (text) VALUES (?1)", &[])
            .unwrap_err();
        assert!(error.to_string().contains("parameters"), "{error}");
        notes::insert(tx, "the transaction goes on")
    });
    result.await.unwrap();
    assert_eq!(notes::all(&database).await.len(), 1);
}

#[tokio::test]
async fn a_table_that_another_node_changes_is_noticed_once() {
    let options = TestPostgres::shared().options().readers(1).component(NOTES);
    let database = Database::open(options).unwrap();
    let columns = |tx: &Tx<'_>| tx.all("SELECT * FROM notes", &[], |row| Ok(row.get::<i64>(2).is_ok()));
    notes::add(database.clone(), "note").await.unwrap();
    assert_eq!(database.read(columns).await.unwrap(), [false]);
    database
        .write(|tx| {
            tx.execute(
                "ALTER TABLE notes ADD COLUMN third BIGINT NOT NULL DEFAULT 3",
                &[],
            )
        })
        .await
        .unwrap();
    let error = database.read(columns).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Retry, "{error}");
    assert_eq!(database.read(columns).await.unwrap(), [true]);
}

#[tokio::test]
async fn sums_and_averages_are_read_as_on_sqlite() {
    let numbers =
        "SELECT sum(n), avg(n), count(*), max(n) > 2 FROM (SELECT 1 AS n UNION ALL SELECT 3) AS numbers";
    for database in [database(), Database::temporary([]).unwrap()] {
        let read = database.read(move |tx| {
            tx.first(numbers, &[], |row| {
                Ok((
                    row.get::<i64>(0)?,
                    row.get::<f64>(1)?,
                    row.get::<i64>(2)?,
                    row.get::<bool>(3)?,
                ))
            })
        });
        assert_eq!(read.await.unwrap(), Some((4, 2.0, 2, true)));
    }
}

#[tokio::test]
async fn an_operation_that_would_end_its_transaction_is_refused() {
    let database = database();
    for control in ["COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT a"] {
        let error = database
            .write(move |tx| {
                notes::insert(tx, "half")?;
                tx.execute(control, &[])
            })
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("ended the transaction"),
            "{control}: {error}"
        );
        let script = database.write(move |tx| tx.script(control)).await;
        assert!(script.is_err(), "{control}");
    }
    assert!(notes::all(&database).await.is_empty());
}
