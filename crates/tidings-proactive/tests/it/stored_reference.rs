//! The newest reference to a conversation.

use jiff::SignedDuration;
use tidings_activity::{Activity, ConversationReference};
use tidings_proactive::last_reference;
use tidings_store::{Database, DatabaseOptions};

use crate::desk::{Desk, options, reference};

fn at(service_url: &str) -> ConversationReference {
    ConversationReference {
        service_url: Some(service_url.to_owned()),
        ..reference("alice")
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_job_tells_else_the_newest_delivery() {
    the_newest_job_tells_else_the_newest_delivery_on(DatabaseOptions::temporary()).await;
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_newest_job_tells_else_the_newest_delivery_on_postgresql() {
    let place = tidings_store::test_postgres::TestPostgres::shared().options();
    the_newest_job_tells_else_the_newest_delivery_on(place).await;
}

async fn the_newest_job_tells_else_the_newest_delivery_on(place: DatabaseOptions) {
    let desk = Desk::on(place, options(4));
    let last = async || desk.proactive.last_reference("alice").await.unwrap();
    assert!(last().await.is_none());
    let news = Activity::message("news");
    desk.proactive
        .enqueue(&at("http://delivery"), &news)
        .await
        .unwrap();
    assert_eq!(last().await.unwrap().reference, at("http://delivery"));
    desk.jobs.start(at("http://first")).await.unwrap();
    desk.clock.advance(SignedDuration::from_secs(5));
    desk.jobs.start(at("http://second")).await.unwrap();
    desk.jobs.start(reference("bob")).await.unwrap();
    let second = desk.now();
    desk.clock.advance(SignedDuration::from_secs(5));
    // It may be of an older job, so it does not tell how old the reference is.
    desk.proactive
        .enqueue(&at("http://delivery"), &news)
        .await
        .unwrap();
    let found = last().await.unwrap();
    assert_eq!((found.reference, found.stored_at), (at("http://second"), second));
    assert!(desk.proactive.last_reference("carol").await.unwrap().is_none());
}

#[tokio::test]
async fn without_the_tables_there_is_none() {
    without_the_tables_there_is_none_on(DatabaseOptions::temporary()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn without_the_tables_there_is_none_on_postgresql() {
    let place = tidings_store::test_postgres::TestPostgres::shared().options();
    without_the_tables_there_is_none_on(place).await;
}

async fn without_the_tables_there_is_none_on(place: DatabaseOptions) {
    let database = Database::open(place).unwrap();
    let found = database.read(|tx| last_reference(tx, "alice")).await.unwrap();
    assert!(found.is_none());
}
