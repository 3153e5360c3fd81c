//! Several processes on one database: who has a conversation, and what a late one may still write.

use std::collections::HashSet;
use std::time::Duration;

use jiff::SignedDuration;
use tidings_proactive::{DeliveryState, ProactiveOptions};
use tokio::time::{sleep, timeout};

use crate::desk::{Call, Desk, Running, options, refuse};

const LEASE: Duration = Duration::from_secs(1);
/// How often a process looks after the others.
const LOOK: Duration = Duration::from_millis(200);
const MILLI: Duration = Duration::from_millis(1);

fn shared() -> ProactiveOptions {
    let mut options = options(4);
    options.shared = true;
    options.lease = LEASE;
    options
}

fn millis(millis: i64) -> SignedDuration {
    SignedDuration::from_millis(millis)
}

/// Two processes on one database.
fn two_nodes() -> (Desk, Desk) {
    let first = Desk::in_step(shared());
    let second = first.beside(shared());
    (first, second)
}

/// The next call of a process that takes over, if it comes within what the lease and a look allow.
async fn within_lease_and_look(desk: &Desk) -> Call {
    let call = timeout(LEASE + LOOK, desk.call()).await;
    call.expect("what a dead process had is taken over in time")
}

#[tokio::test(start_paused = true)]
async fn the_conversations_of_a_dead_process_are_taken_over_after_its_lease_and_not_before() {
    let (first, second) = two_nodes();
    let dying = first.run();
    let id = first.enqueue("alice", "x").await;
    let behind = first.enqueue("alice", "behind").await;
    let call = first.call().await;
    dying.abort().await;
    // Paused time, which is what a lease is made of. However old the last sign of life may be, it is new to whoever sees
    // it first.
    sleep(LEASE * 10).await;
    let running = second.run();
    second.until_it_runs().await;
    sleep(LEASE - MILLI).await;
    assert!(second.nothing_is_on_its_way().await);
    sleep(MILLI).await;
    second.deliver("x").await;
    drop(call);
    let delivery = second.delivery(id).await;
    assert_eq!((delivery.starts, delivery.repeat_possible), (2, true));
    second.deliver("behind").await;
    assert!(!second.delivery(behind).await.repeat_possible);
    second.check().await;
    running.stop().await;
}

/// Two processes with a clock each, of which that of the first is wrong by so many seconds: one is sending, and the other
/// sees it.
async fn two_clocks(wrong_by: i64) -> (Desk, Running, Call, Desk, Running) {
    let first = Desk::in_step(shared());
    let second = first.beside_with_a_clock(shared());
    first.clock.advance(SignedDuration::from_secs(wrong_by));
    let sending = first.run();
    first.enqueue("alice", "x").await;
    let call = first.call().await;
    let looking = second.run();
    second.until_it_runs().await;
    (first, sending, call, second, looking)
}

/// What the dead one was sending, `call`, is sent by the other in time.
async fn takes_over(call: Call, other: &Desk, running: Running) {
    let again = within_lease_and_look(other).await;
    assert_eq!(again.text(), "x");
    again.deliver();
    drop(call);
    running.stop().await;
    other.check().await;
}

/// Paused time goes on for three leases, with the clocks.
async fn live_on(clocks: [&Desk; 2]) {
    for _ in 0..30 {
        sleep(LEASE / 10).await;
        for desk in clocks {
            desk.clock.advance(millis(100));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_process_loses_nothing_and_a_dead_one_is_found_out_whatever_its_clock_says() {
    for wrong_by in [0, 300, -300] {
        for set_by in [0, 300, -300, 600, -600] {
            let (first, sending, call, second, looking) = two_clocks(wrong_by).await;
            live_on([&first, &second]).await;
            first.clock.advance(SignedDuration::from_secs(set_by));
            live_on([&first, &second]).await;
            let takeovers = second.proactive.stats().await.takeovers;
            assert_eq!(
                takeovers, 0,
                "wrong by {wrong_by} s, set by {set_by} s: it is alive"
            );
            assert!(second.nothing_is_on_its_way().await);
            sending.abort().await;
            takes_over(call, &second, looking).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_whose_own_clock_is_set_takes_over_from_the_dead_only_and_in_time() {
    for set_by in [300, -300] {
        let (first, sending, call, second, looking) = two_clocks(0).await;
        live_on([&first, &second]).await;
        second.clock.advance(SignedDuration::from_secs(set_by));
        live_on([&first, &second]).await;
        assert_eq!(second.proactive.stats().await.takeovers, 0, "set by {set_by} s");
        sending.abort().await;
        second.clock.advance(SignedDuration::from_secs(-set_by));
        takes_over(call, &second, looking).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_still_is_a_sign_of_life_nevertheless() {
    let (first, sending, call, second, looking) = two_clocks(0).await;
    sleep(LEASE * 5).await;
    assert_eq!(second.proactive.stats().await.takeovers, 0);
    call.deliver();
    sending.stop().await;
    looking.stop().await;
    assert_eq!(first.ledger().await, [("delivered".to_owned(), 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_late_outcome_of_a_process_that_lost_its_conversation_is_refused() {
    let first = Desk::in_step({
        let mut options = shared();
        // So that it claims nothing while it is late.
        options.concurrency = 1;
        options
    });
    let second = first.beside(shared());
    let zombie = first.run();
    let id = first.enqueue("alice", "x").await;
    let late = first.call().await;
    // As if it slept through its lease.
    second
        .db
        .write(|tx| {
            tx.execute("UPDATE nodes SET alive_until = 0, name = 'asleep'", &[])?;
            refuse(tx, "UPDATE OF alive_until", "nodes", "old.name = 'asleep'")
        })
        .await
        .unwrap();
    let running = second.run();
    let again = second.call().await;
    assert_eq!(again.text(), "x");
    second.allow().await;
    let epoch = "SELECT 'epoch ' || epoch FROM lanes WHERE conversation_id = 'alice'";
    let taken = second.texts(epoch).await;
    late.deliver();
    first.nothing_happens().await;
    assert_eq!(first.delivery(id).await.state, DeliveryState::Sending);
    assert_eq!(second.texts(epoch).await, taken);
    again.deliver();
    let delivery = second.until(id, DeliveryState::Delivered).await;
    assert_eq!((delivery.starts, delivery.repeat_possible), (2, true));
    second.check().await;
    // Awake again it works as before.
    running.stop().await;
    first.enqueue("bob", "still here").await;
    first.deliver("still here").await;
    zombie.stop().await;
}

#[tokio::test(start_paused = true)]
async fn processes_share_the_work_and_send_nothing_twice() {
    let (first, second) = two_nodes();
    let running = [first.run(), second.run()];
    for n in 0..60 {
        let desk = if n % 2 == 0 { &first } else { &second };
        desk.enqueue(&format!("c{}", n % 20), &n.to_string()).await;
    }
    let mut seen: Vec<(String, usize)> = Vec::new();
    for _ in 0..60 {
        let call = tokio::select! {
            call = first.call() => call,
            call = second.call() => call,
        };
        seen.push((call.conversation().to_owned(), call.text().parse().unwrap()));
        call.deliver();
    }
    let texts: HashSet<usize> = seen.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts.len(), 60);
    for n in 0..20 {
        let of_one = seen.iter().filter(|(to, _)| *to == format!("c{n}"));
        assert!(of_one.is_sorted_by_key(|(_, text)| *text), "{seen:?}");
    }
    for running in running {
        running.stop().await;
    }
    assert_eq!(first.ledger().await, [("delivered".to_owned(), 60)]);
    first.check().await;
    assert!(first.texts("SELECT name FROM nodes").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_process_keeps_its_lease_while_all_its_slots_are_busy() {
    let first = Desk::in_step({
        let mut options = shared();
        options.concurrency = 1;
        // Longer than the lease.
        options.poll_every = Duration::from_secs(5);
        options
    });
    let second = first.beside(shared());
    let busy = first.run();
    let id = first.enqueue("alice", "long").await;
    let call = first.call().await;
    let running = second.run();
    second.until_it_runs().await;
    // As the runtime's time goes on, so does the clock.
    for _ in 0..100 {
        sleep(Duration::from_millis(100)).await;
        first.clock.advance(millis(100));
    }
    assert!(second.nothing_is_on_its_way().await, "it is alive");
    call.deliver();
    assert!(!first.until(id, DeliveryState::Delivered).await.repeat_possible);
    busy.stop().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_recorded_before_the_end_is_found_by_the_next() {
    let desk = Desk::new();
    let running = desk.run();
    let id = desk.enqueue("alice", "x").await;
    let call = desk.call().await;
    desk.refuse("UPDATE", "deliveries", "new.state = 'delivered'")
        .await;
    running.ask_to_stop();
    call.deliver();
    running.stop().await;
    desk.allow().await;
    assert_eq!(desk.delivery(id).await.state, DeliveryState::Sending);
    for options in [options(4), shared()] {
        let next = desk.beside(options);
        let running = next.run();
        if desk.delivery(id).await.state == DeliveryState::Delivered {
            running.stop().await;
            continue;
        }
        next.deliver("x").await;
        assert!(next.delivery(id).await.repeat_possible);
        next.check().await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_of_a_process_that_nobody_knows_is_taken_over_at_the_start() {
    let desk = Desk::new();
    let id = desk.enqueue("alice", "x").await;
    desk.execute("UPDATE lanes SET node = 4711, next_at = NULL").await;
    desk.execute("UPDATE deliveries SET state = 'sending', starts = 1")
        .await;
    let running = desk.run();
    desk.deliver("x").await;
    assert!(desk.delivery(id).await.repeat_possible);
    desk.check().await;
    running.stop().await;
}
