use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::*;

fn key(name: &str) -> ConversationKey {
    ConversationKey::new("test", name)
}

/// Calls `act` as part of the turn that holds `guard`.
async fn inside<T>(guard: &GateGuard, act: impl FnOnce() -> T) -> T {
    let act = std::cell::Cell::new(Some(act));
    let acting = std::future::poll_fn(|_| Poll::Ready(act.take().map(|act| act())));
    guard.token().scope(acting).await.unwrap()
}

#[tokio::test]
async fn the_queue_is_first_come_first_served_by_call_not_by_poll() {
    let gate = Gate::new();
    let first = gate.enter(&key("a")).await.unwrap();
    let second = gate.enter(&key("a"));
    let third = gate.enter(&key("a"));
    let (said, mut heard) = mpsc::unbounded_channel();
    // The third is polled before the second.
    let told = said.clone();
    let third = tokio::spawn(async move {
        let guard = third.await.unwrap();
        told.send(3).unwrap();
        drop(guard);
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn(async move {
        let guard = second.await.unwrap();
        said.send(2).unwrap();
        drop(guard);
    });
    tokio::task::yield_now().await;
    assert!(heard.try_recv().is_err());
    assert_eq!(gate.waiting(&key("a")), 2);
    drop(first);
    second.await.unwrap();
    third.await.unwrap();
    assert_eq!(heard.recv().await, Some(2));
    assert_eq!(heard.recv().await, Some(3));
    assert_eq!(gate.busy_conversations(), 0);
}

#[tokio::test]
async fn conversations_do_not_wait_for_each_other() {
    let gate = Gate::new();
    let _a = gate.enter(&key("a")).await.unwrap();
    let _b = gate.enter(&key("b")).now_or_never().unwrap().unwrap();
    assert_eq!(gate.busy_conversations(), 2);
}

#[tokio::test]
async fn a_place_given_up_is_passed_over() {
    let gate = Gate::new();
    let first = gate.enter(&key("a")).await.unwrap();
    let second = gate.enter(&key("a"));
    let third = gate.enter(&key("a"));
    drop(second);
    assert_eq!(gate.waiting(&key("a")), 1);
    drop(first);
    drop(third.now_or_never().unwrap().unwrap());
    assert_eq!(gate.busy_conversations(), 0);
}

#[tokio::test]
async fn a_place_given_up_after_admission_lets_the_next_one_in() {
    let gate = Gate::new();
    let first = gate.enter(&key("a")).await.unwrap();
    let second = gate.enter(&key("a"));
    let third = gate.enter(&key("a"));
    drop(first); // the second is admitted but never awaited
    drop(second);
    drop(third.now_or_never().unwrap().unwrap());
}

#[tokio::test]
async fn the_turn_that_holds_a_conversation_enters_it_again() {
    let gate = Gate::new();
    let outer = gate.enter(&key("a")).await.unwrap();
    let waiting = gate.enter(&key("a"));
    assert!(inside(&outer, || gate.is_held_by_current_turn(&key("a"))).await);
    assert!(!gate.is_held_by_current_turn(&key("a")));
    let inner = inside(&outer, || gate.enter(&key("a")))
        .await
        .now_or_never()
        .unwrap()
        .unwrap();
    let innermost = inside(&inner, || gate.enter(&key("a")))
        .await
        .now_or_never()
        .unwrap()
        .unwrap();
    drop(innermost);
    drop(inner);
    assert_eq!(
        gate.waiting(&key("a")),
        1,
        "leaving the nested turn does not leave the outer one"
    );
    drop(outer);
    drop(waiting.now_or_never().unwrap().unwrap());
    assert_eq!(gate.busy_conversations(), 0);
}

#[tokio::test]
async fn the_conversation_stays_held_while_a_nested_turn_outlives_the_outer_one() {
    let gate = Gate::new();
    let outer = gate.enter(&key("a")).await.unwrap();
    let inner = inside(&outer, || gate.enter(&key("a"))).await.await.unwrap();
    drop(outer);
    assert!(gate.enter(&key("a")).now_or_never().is_none());
    let innermost = inside(&inner, || gate.enter(&key("a")))
        .await
        .now_or_never()
        .unwrap()
        .unwrap();
    drop(inner);
    drop(innermost);
    drop(gate.enter(&key("a")).now_or_never().unwrap().unwrap());
}

#[tokio::test]
async fn nested_turns_beside_each_other_take_turns_too() {
    let gate = Gate::new();
    let outer = gate.enter(&key("a")).await.unwrap();
    let stranger = gate.enter(&key("a"));
    let first = inside(&outer, || gate.enter(&key("a")))
        .await
        .now_or_never()
        .unwrap()
        .unwrap();
    let mut second = inside(&outer, || gate.enter(&key("a"))).await;
    assert!(
        (&mut second).now_or_never().is_none(),
        "the first of them is inside"
    );
    drop(first);
    // Ahead of the stranger, for whom the outer turn would have to end.
    let second = second.now_or_never().unwrap().unwrap();
    drop(outer);
    drop(second);
    drop(stranger.now_or_never().unwrap().unwrap());
}

#[tokio::test]
async fn turns_that_one_turn_starts_elsewhere_take_turns_there() {
    let gate = Gate::new();
    let outer = gate.enter(&key("a")).await.unwrap();
    let first = inside(&outer, || gate.enter(&key("b"))).await.await.unwrap();
    let mut second = inside(&outer, || gate.enter(&key("b"))).await;
    assert!((&mut second).now_or_never().is_none());
    // The first may still go back into the conversation that its outer turn holds.
    drop(
        inside(&first, || gate.enter(&key("a")))
            .await
            .now_or_never()
            .unwrap()
            .unwrap(),
    );
    drop(first);
    drop(second.now_or_never().unwrap().unwrap());
    drop(outer);
    assert_eq!(gate.busy_conversations(), 0);
    assert!(gate.lanes().nested.is_empty());
}

#[tokio::test]
async fn two_turns_that_would_wait_for_each_other_are_told_so() {
    let gate = Gate::new();
    let a = gate.enter(&key("a")).await.unwrap();
    let b = gate.enter(&key("b")).await.unwrap();
    let a_wants_b = inside(&a, || gate.enter(&key("b"))).await;
    let refused = b
        .token()
        .scope(async { gate.enter(&key("a")).await })
        .await
        .unwrap_err();
    assert_eq!(refused.key, key("a"));
    // The one that was refused goes on and leaves, so the other one gets in.
    drop(b);
    drop(a_wants_b.now_or_never().unwrap().unwrap());
    drop(a);
    assert!(gate.lanes().nested.is_empty());
}

#[tokio::test]
async fn a_circle_of_three_is_seen_too() {
    let gate = Gate::new();
    let a = gate.enter(&key("a")).await.unwrap();
    let b = gate.enter(&key("b")).await.unwrap();
    let c = gate.enter(&key("c")).await.unwrap();
    let _a_wants_b = inside(&a, || gate.enter(&key("b"))).await;
    let _b_wants_c = inside(&b, || gate.enter(&key("c"))).await;
    assert!(
        c.token()
            .scope(async { gate.enter(&key("a")).await })
            .await
            .is_err()
    );
    // Waiting for one who does not wait is no circle.
    let d = gate.enter(&key("d")).await.unwrap();
    assert!(
        d.token()
            .scope(async { gate.enter(&key("c")).now_or_never() })
            .await
            .is_none()
    );
}
