//! PostgreSQL goes away while the engine runs, and comes back.

use std::collections::HashMap;

use tidings_activity::Activity;
use tidings_proactive::{DeliveryState, ProactiveError};
use tidings_store::StoreErrorKind;
use tidings_store::test_postgres::TestPostgres;

use crate::desk::{Desk, options, reference};

#[tokio::test(start_paused = true)]
async fn nothing_that_was_accepted_is_lost_or_sent_twice_when_the_database_crashes() {
    goes_and_comes_back(TestPostgres::crash).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_accepted_is_lost_or_sent_twice_when_the_database_is_stopped() {
    goes_and_comes_back(TestPostgres::stop).await;
}

async fn goes_and_comes_back(go_away: fn(&TestPostgres)) {
    let server = TestPostgres::start();
    let desk = Desk::on(server.options(), options(4));
    let running = desk.run();
    let mut owed = Vec::new();
    for conversation in ["alice", "bob"] {
        for text in ["first", "second"] {
            owed.push(desk.enqueue(conversation, text).await);
        }
    }
    let mut sent = HashMap::new();
    let calls = [desk.call().await, desk.call().await];
    go_away(&server);
    // Their outcomes cannot be recorded now.
    for call in calls {
        *sent.entry(call.delivery).or_insert(0) += 1;
        call.deliver();
    }
    let refused = desk
        .proactive
        .enqueue(reference("carol"), &Activity::message("not accepted"))
        .await
        .unwrap_err();
    let ProactiveError::Store(refused) = refused else {
        panic!("{refused}")
    };
    assert_eq!(refused.kind(), StoreErrorKind::Busy, "{refused}");
    assert!(refused.to_string().contains("is gone"), "{refused}");
    // By then it has failed to record them, and goes on trying.
    let failures = desk.db.stats().failures;
    while desk.db.stats().failures < failures + 2 {
        tokio::task::yield_now().await;
    }
    assert!(
        desk.nothing_is_on_its_way().await,
        "nothing overtakes what nobody knows to be over"
    );
    server.start_again();
    for _ in 0..2 {
        let call = desk.call().await;
        assert_eq!(call.text(), "second");
        *sent.entry(call.delivery).or_insert(0) += 1;
        call.deliver();
    }
    for id in &owed {
        let delivery = desk.until(*id, DeliveryState::Delivered).await;
        assert_eq!((delivery.starts, delivery.repeat_possible), (1, false));
        assert_eq!(sent.get(id), Some(&1));
    }
    let after = desk.enqueue("carol", "accepted").await;
    desk.deliver("accepted").await;
    desk.until(after, DeliveryState::Delivered).await;
    desk.check().await;
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 5)]);
}
