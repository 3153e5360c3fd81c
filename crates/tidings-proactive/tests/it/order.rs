//! Order within a conversation, independence between them, and what happens when there are too many.

use std::collections::HashMap;

use futures_util::future::join_all;
use tidings_activity::Activity;
use tidings_proactive::{DeliveryId, DeliveryState, Enqueue};
use tidings_store::Batch;

use crate::desk::{Desk, options, place, reference, unreachable};

#[tokio::test(start_paused = true)]
async fn one_conversation_is_served_in_order_one_at_a_time() {
    let desk = Desk::new();
    let running = desk.run();
    for n in 0..40 {
        desk.enqueue("alice", &n.to_string()).await;
    }
    for n in 0..40 {
        let call = desk.call().await;
        assert_eq!(call.text(), n.to_string());
        assert!(
            desk.nothing_is_on_its_way().await,
            "only the head of a conversation is sent"
        );
        call.deliver();
    }
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 40)]);
}

#[tokio::test(start_paused = true)]
async fn a_retrying_head_is_not_overtaken() {
    let desk = Desk::new();
    let running = desk.run();
    let first = desk.enqueue("alice", "first").await;
    desk.call().await.fail(unreachable());
    desk.until(first, DeliveryState::Retryable).await;
    let second = desk.enqueue("alice", "second").await;
    assert_eq!(desk.delivery(second).await.due_at, None, "it waits for the first");
    desk.clock.advance(jiff::SignedDuration::from_secs(1));
    for expected in ["first", "second"] {
        let call = desk.call().await;
        assert_eq!(call.text(), expected);
        call.deliver();
    }
    desk.until(second, DeliveryState::Delivered).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_hangs_does_not_slow_another() {
    let desk = Desk::new();
    let running = desk.run();
    for n in 0..20 {
        desk.enqueue("slow", &n.to_string()).await;
    }
    let hanging = desk.call().await;
    assert_eq!(hanging.conversation(), "slow");
    for n in 0..20 {
        desk.enqueue("quick", &n.to_string()).await;
        let call = desk.call().await;
        assert_eq!(
            (call.conversation(), call.text()),
            ("quick", n.to_string().as_str())
        );
        call.deliver();
    }
    hanging.deliver();
    for n in 1..20 {
        let call = desk.call().await;
        assert_eq!(call.text(), n.to_string());
        call.deliver();
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_concurrency_is_sent_at_once_and_the_rest_follows() {
    let desk = Desk::new();
    let running = desk.run();
    let mut on_their_way = Vec::new();
    for n in 0..4 {
        desk.enqueue(&format!("c{n}"), "x").await;
        on_their_way.push(desk.call().await);
    }
    let fifth = desk.enqueue("c4", "x").await;
    assert_eq!(desk.delivery(fifth).await.state, DeliveryState::Available);
    assert!(desk.nothing_is_on_its_way().await);
    on_their_way.pop().unwrap().deliver();
    let call = desk.call().await;
    assert_eq!(call.conversation(), "c4");
    call.deliver();
    for call in on_their_way {
        call.deliver();
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_in_flight_is_left_to_the_table_and_each_arrives_once_in_order() {
    let desk = Desk::on(place(), options(2));
    let running = desk.run();
    let enqueue = async |n: usize| (n, desk.enqueue(&format!("c{}", n % 25), &n.to_string()).await);
    let answer_all = async {
        let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
        for _ in 0..300 {
            let call = desk.call().await;
            seen.entry(call.conversation().to_owned())
                .or_default()
                .push(call.text().parse().unwrap());
            call.deliver();
        }
        seen
    };
    let (ids, seen) = tokio::join!(join_all((0..300).map(enqueue)), answer_all);
    let ids: HashMap<usize, DeliveryId> = ids.into_iter().collect();
    assert_eq!(seen.len(), 25);
    for texts in seen.values() {
        assert_eq!(texts.len(), 12);
        assert!(texts.is_sorted_by_key(|n| ids[n]), "{texts:?}");
    }
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 300)]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_found_no_slot_does_not_wait_for_the_poll() {
    let mut options = options(1);
    // Longer than any test: only a wake-up can help.
    options.poll_every = std::time::Duration::from_secs(u64::from(u32::MAX));
    let desk = Desk::on(place(), options);
    let running = desk.run();
    for round in 0..20 {
        let texts = [format!("{round} a"), format!("{round} b"), format!("{round} c")];
        join_all(texts.iter().map(|text| desk.enqueue(text, text))).await;
        for _ in &texts {
            desk.call().await.deliver();
        }
    }
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 60)]);
}

#[tokio::test(start_paused = true)]
async fn a_chatty_conversation_gives_way() {
    let desk = Desk::on(place(), options(1));
    let running = desk.run();
    desk.enqueue("chatty", "0").await;
    let mut call = desk.call().await;
    for n in 1..40 {
        desk.enqueue("chatty", &n.to_string()).await;
    }
    desk.enqueue("quiet", "me too").await;
    desk.clock.advance(jiff::SignedDuration::from_millis(1));
    let mut before_quiet = 0;
    while call.conversation() == "chatty" {
        before_quiet += 1;
        call.deliver();
        call = desk.call().await;
    }
    call.deliver();
    assert_eq!(before_quiet, 16);
    for n in 16..40 {
        let call = desk.call().await;
        assert_eq!(call.text(), n.to_string());
        call.deliver();
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_staged_delivery_is_sent_after_its_batch_and_not_without_it() {
    let desk = Desk::new();
    let running = desk.run();
    let step = |text: &str| {
        Box::new(Enqueue::new(&desk.proactive, reference("alice"), &Activity::message(text)).unwrap())
    };
    let undone = Batch {
        steps: vec![step("undone"), Box::new(Failing)],
        ..Batch::default()
    };
    assert!(desk.db.commit(undone).await.is_err());
    let kept = Batch {
        steps: vec![step("first"), step("second")],
        ..Batch::default()
    };
    desk.db.commit(kept).await.unwrap();
    for expected in ["first", "second"] {
        let call = desk.call().await;
        assert_eq!(call.text(), expected);
        call.deliver();
    }
    running.stop().await;
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), 2)]);
}

struct Failing;

impl tidings_store::Step for Failing {
    fn write(&mut self, _: &tidings_store::Tx<'_>) -> Result<(), tidings_store::StoreError> {
        Err(tidings_store::StoreError::message("this step fails"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_dedupe_key_owes_one_delivery_even_after_it_ended() {
    let desk = Desk::new();
    let running = desk.run();
    let once = || Enqueue::new(&desk.proactive, reference("alice"), &Activity::message("x")).unwrap();
    let first = once().dedupe_key("price:17").commit().await.unwrap();
    assert_eq!(once().dedupe_key("price:17").commit().await.unwrap(), first);
    desk.call().await.deliver();
    desk.until(first, DeliveryState::Delivered).await;
    assert_eq!(once().dedupe_key("price:17").commit().await.unwrap(), first);
    let other = once().dedupe_key("price:18").commit().await.unwrap();
    assert_ne!(other, first);
    desk.call().await.deliver();
    running.stop().await;
    assert!(desk.nothing_is_on_its_way().await);
}

/// Whoever records outcomes finds none where another has just taken them all; what ends in that moment is not his.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_ends_at_the_same_time_nothing_is_forgotten() {
    const CONVERSATIONS: usize = 100;
    const EACH: usize = 20;
    let desk = Desk::on(place(), options(64));
    let running = desk.run();
    desk.until_it_runs().await;
    for _ in 0..EACH {
        let batch = (0..CONVERSATIONS)
            .map(|to| desk.owe(&to.to_string(), "x"))
            .collect();
        desk.proactive.enqueue_all(batch).await.unwrap();
    }
    for _ in 0..CONVERSATIONS * EACH {
        desk.call().await.deliver();
    }
    running.stop().await;
    let all = u32::try_from(CONVERSATIONS * EACH).unwrap();
    // And the one that told that it runs.
    assert_eq!(desk.ledger().await, [("delivered".to_owned(), all + 1)]);
    desk.check().await;
}
