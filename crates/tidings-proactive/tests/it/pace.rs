//! What a channel asks to wait, what its limits allow, and what a host that fails is spared.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tidings_activity::{Activity, ConversationReference};
use tidings_connector::{Phase, SendError};
use tidings_proactive::{DeliveryId, DeliveryState, Enqueue};

use crate::desk::{Desk, options, place, reference, status, unreachable};

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn in_tenant(conversation: &str, tenant: &str) -> ConversationReference {
    let mut reference = reference(conversation);
    reference.conversation.as_mut().unwrap().tenant_id = Some(tenant.to_owned());
    reference
}

fn at_host(conversation: &str, host: &str) -> ConversationReference {
    ConversationReference {
        service_url: Some(format!("https://{host}/")),
        ..reference(conversation)
    }
}

async fn enqueue(desk: &Desk, to: ConversationReference, text: &str) -> DeliveryId {
    let activity = Activity::message(text);
    desk.proactive.enqueue(to, &activity).await.unwrap()
}

/// Moves the clock to when the conversation may be claimed; nothing was sent there just before.
async fn until_its_turn(desk: &Desk, conversation: &'static str, reason: &str) -> Timestamp {
    let next_at = desk.until_waits(conversation, reason).await;
    desk.clock.set(next_at - SignedDuration::from_micros(1));
    desk.nothing_happens().await;
    desk.clock.set(next_at);
    next_at
}

#[tokio::test(start_paused = true)]
async fn what_the_channel_asks_to_wait_holds_for_the_whole_conversation() {
    let desk = Desk::new();
    let running = desk.run();
    let head = desk.enqueue("alice", "head").await;
    let asked = desk.now();
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(90)));
    desk.until(head, DeliveryState::Retryable).await;
    desk.owe("alice", "of another class")
        .class("other")
        .commit()
        .await
        .unwrap();
    desk.enqueue("bob", "elsewhere").await;
    desk.deliver("elsewhere").await;
    assert_eq!(
        until_its_turn(&desk, "alice", "retry_after").await,
        asked + seconds(90)
    );
    desk.deliver("head").await;
    desk.deliver("of another class").await;
    assert_eq!(
        desk.texts("SELECT reason || ' ' || (until - since) FROM delivery_waits")
            .await,
        ["retry_after 90000000"]
    );
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_channel_asks_to_wait_outlives_the_delivery_it_was_asked_for() {
    let desk = Desk::new();
    let running = desk.run();
    let asked = desk.now();
    let brief = desk
        .owe("alice", "brief")
        .expires_at(asked + seconds(10))
        .commit()
        .await
        .unwrap();
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(90)));
    desk.until(brief, DeliveryState::Retryable).await;
    desk.enqueue("alice", "behind").await;
    desk.clock.advance(seconds(10));
    desk.until(brief, DeliveryState::Expired).await;
    assert_eq!(
        until_its_turn(&desk, "alice", "retry_after").await,
        asked + seconds(90)
    );
    desk.deliver("behind").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_gets_no_more_than_the_limits_allow() {
    let desk = Desk::new();
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits)
         VALUES ('test', 'lane', 1000, 2), ('test', 'lane', 10000, 3)",
    )
    .await;
    let running = desk.run();
    // So that a lane which nobody has is one that waits, not one that nobody has seen yet.
    desk.until_it_runs().await;
    for n in 0..7 {
        desk.enqueue("alice", &n.to_string()).await;
    }
    let mut times = Vec::new();
    for n in 0..7 {
        if desk.lane("alice").await.0.is_some() {
            until_its_turn(&desk, "alice", "pacing").await;
        }
        times.push(desk.now());
        desk.deliver(&n.to_string()).await;
        if n == 1 {
            // Others are not concerned.
            desk.enqueue("bob", "me too").await;
            desk.deliver("me too").await;
        }
    }
    for (period, permits) in [(1_000, 2), (10_000, 3)] {
        let period = SignedDuration::from_millis(period);
        for window in times.windows(permits + 1) {
            let length = window[permits].duration_since(window[0]);
            assert!(length >= period, "{permits} in {period}: {times:?}");
        }
    }
    let all = times[6].duration_since(times[0]);
    assert!(
        all <= SignedDuration::from_millis(20_100),
        "as fast as is allowed: {all}"
    );
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_a_limit_asks_for_does_not_wait_for_the_poll() {
    let mut options = options(4);
    options.poll_every = Duration::from_secs(u64::from(u32::MAX));
    options.lease = options.poll_every;
    let desk = Desk::on(place(), options);
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES ('test', 'lane', 1000, 1)",
    )
    .await;
    let running = desk.run();
    desk.until_it_runs().await;
    for n in 0..5 {
        desk.enqueue("alice", &n.to_string()).await;
    }
    for n in 0..5 {
        desk.deliver(&n.to_string()).await;
        desk.clock.advance(SignedDuration::from_millis(1_001));
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_restart_counts() {
    let desk = Desk::new();
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES ('test', 'lane', 60000, 1)",
    )
    .await;
    let running = desk.run();
    desk.enqueue("alice", "before").await;
    let sent = desk.now();
    desk.deliver("before").await;
    running.stop().await;
    let desk = desk.beside(options(4));
    let running = desk.run();
    desk.enqueue("alice", "after").await;
    desk.nothing_happens().await;
    let turn = until_its_turn(&desk, "alice", "pacing").await;
    assert!(turn >= sent + seconds(60) && turn <= sent + SignedDuration::from_millis(60_002));
    desk.deliver("after").await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_conversations_of_a_tenant_share_its_budget() {
    let desk = Desk::new();
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES ('test', 'tenant', 1000, 2)",
    )
    .await;
    let running = desk.run();
    // So that the limits are read.
    let first = enqueue(&desk, in_tenant("zoe", "fabrikam"), "zoe").await;
    desk.deliver("zoe").await;
    desk.until(first, DeliveryState::Delivered).await;
    let began = desk.now();
    for name in ["alice", "bob"] {
        enqueue(&desk, in_tenant(name, "contoso"), name).await;
        desk.deliver(name).await;
    }
    enqueue(&desk, in_tenant("carol", "contoso"), "carol").await;
    enqueue(&desk, in_tenant("dave", "fabrikam"), "dave").await;
    desk.deliver("dave").await;
    let turn = until_its_turn(&desk, "carol", "budget").await;
    assert!(turn >= began + seconds(1), "{turn}");
    desk.deliver("carol").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_fails_is_left_alone_until_one_probe_succeeds() {
    let desk = Desk::on(place(), options(8));
    let running = desk.run();
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        let id = enqueue(&desk, at_host(name, "broken.example"), name).await;
        desk.call().await.fail(unreachable());
        desk.until(id, DeliveryState::Retryable).await;
    }
    let opened = desk.now();
    enqueue(&desk, at_host("f", "broken.example"), "f").await;
    enqueue(&desk, at_host("g", "sound.example"), "g").await;
    desk.deliver("g").await;
    desk.nothing_happens().await;
    assert_eq!(desk.until_waits("f", "breaker").await, opened + seconds(5));
    // What is due meanwhile waits too.
    desk.clock.set(opened + seconds(2));
    desk.nothing_happens().await;
    desk.clock.set(opened + seconds(5));
    let probe = desk.call().await;
    desk.nothing_happens().await;
    // It fails: twice the wait, and one more.
    let id = probe.delivery;
    probe.fail(unreachable());
    desk.until(id, DeliveryState::Retryable).await;
    desk.clock.set(opened + seconds(14));
    desk.nothing_happens().await;
    desk.clock.set(opened + seconds(15));
    let probe = desk.call().await;
    desk.nothing_happens().await;
    let mut texts = vec![probe.text().to_owned()];
    probe.deliver();
    // The others follow when they are looked at next.
    desk.clock.advance(seconds(10));
    for _ in 0..5 {
        let call = desk.call().await;
        texts.push(call.text().to_owned());
        call.deliver();
    }
    texts.sort_unstable();
    assert_eq!(texts, ["a", "b", "c", "d", "e", "f"]);
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_that_says_that_something_is_gone_is_well() {
    let desk = Desk::on(place(), options(8));
    let running = desk.run();
    for name in ["a", "b", "c", "d", "e"] {
        let to = at_host(name, "broken.example");
        let gone = Enqueue::handler(
            &desk.proactive,
            to,
            "activity.delete",
            &Activity::message("").with_id(name),
        );
        let id = gone.unwrap().commit().await.unwrap();
        desk.call().await.fail(unreachable());
        desk.until(id, DeliveryState::Retryable).await;
    }
    desk.clock.advance(seconds(5));
    let probe = desk.call().await;
    desk.nothing_happens().await;
    probe.fail(SendError::new(Phase::AfterBody, "gone").with_status(404, None));
    // The others follow when they are looked at next.
    desk.clock.advance(seconds(10));
    for _ in 0..4 {
        desk.call().await.deliver();
    }
    running.stop().await;
    desk.check().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_spends_no_budget() {
    let desk = Desk::on(place(), options(8));
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES ('test', 'tenant', 3600000, 7)",
    )
    .await;
    let running = desk.run();
    for name in ["a", "b", "c", "d", "e"] {
        let id = enqueue(&desk, at_host(name, "broken.example"), name).await;
        desk.call().await.fail(unreachable());
        desk.until(id, DeliveryState::Retryable).await;
    }
    // Five were spent, and two are left.
    for name in ["f", "g", "h"] {
        enqueue(&desk, at_host(name, "broken.example"), name).await;
    }
    desk.nothing_happens().await;
    for name in ["i", "j"] {
        enqueue(&desk, at_host(name, "sound.example"), name).await;
        desk.deliver(name).await;
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn everything_can_be_paused_and_goes_on_where_it_was() {
    let desk = Desk::new();
    desk.execute("INSERT INTO pauses (scope, channel_id, since) VALUES ('all', '', 0)")
        .await;
    let running = desk.run();
    for text in ["0", "1"] {
        desk.enqueue("alice", text).await;
    }
    let next_at = desk.until_waits("alice", "paused").await;
    desk.nothing_happens().await;
    assert!(next_at > desk.now() + SignedDuration::from_hours(24 * 365));
    desk.execute("DELETE FROM pauses").await;
    desk.execute("UPDATE lanes SET next_at = 0, wait_reason = NULL WHERE wait_reason = 'paused'")
        .await;
    // Not told, it finds out before it would put the conversation off again.
    desk.deliver("0").await;
    desk.deliver("1").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_can_be_paused_and_another_goes_on() {
    let desk = Desk::new();
    desk.execute("INSERT INTO pauses (scope, channel_id, since) VALUES ('channel', 'other', 0)")
        .await;
    let running = desk.run();
    let to = ConversationReference {
        channel_id: Some("other".to_owned()),
        ..reference("alice")
    };
    enqueue(&desk, to, "paused").await;
    desk.enqueue("alice", "goes on").await;
    desk.deliver("goes on").await;
    desk.nothing_happens().await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_keeps_nothing_waiting() {
    let desk = Desk::on(place(), options(1));
    let running = desk.run();
    let retried = desk.enqueue("retried", "retried").await;
    desk.call().await.fail(unreachable());
    desk.until(retried, DeliveryState::Retryable).await;
    let asked = desk.enqueue("asked", "asked").await;
    desk.call()
        .await
        .fail(status(429).with_retry_after(Duration::from_secs(7)));
    desk.until(asked, DeliveryState::Retryable).await;
    desk.enqueue("busy", "busy").await;
    let call = desk.call().await;
    desk.enqueue("ready", "ready").await;
    desk.clock.advance(SignedDuration::from_mins(-5));
    call.deliver();
    desk.deliver("ready").await;
    desk.clock.advance(seconds(1));
    desk.deliver("retried").await;
    desk.clock.advance(SignedDuration::from_millis(5_999));
    desk.nothing_happens().await;
    desk.clock.advance(SignedDuration::from_millis(1));
    desk.deliver("asked").await;
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_does_not_stop_the_pace() {
    let desk = Desk::new();
    desk.execute(
        "INSERT INTO limits (channel_id, scope, period_ms, permits)
         VALUES ('test', 'lane', 1000, 1), ('test', 'tenant', 1000, 1)",
    )
    .await;
    let running = desk.run();
    for text in ["0", "1", "2"] {
        desk.enqueue("alice", text).await;
    }
    desk.deliver("0").await;
    desk.clock.advance(SignedDuration::from_mins(-5));
    // Clocks may differ by two seconds, and a budget is charged for a tenth of one.
    for text in ["1", "2"] {
        let since = desk.now();
        let time_passes = async {
            loop {
                desk.clock.advance(SignedDuration::from_millis(500));
                desk.until_it_looked().await;
            }
        };
        let call = tokio::select! {
            call = desk.call() => call,
            () = time_passes => unreachable!("time does not end"),
        };
        assert_eq!(call.text(), text);
        let waited = desk.now().duration_since(since);
        assert!(waited <= seconds(12), "it waited for {waited}");
        let id = call.delivery;
        call.deliver();
        desk.until(id, DeliveryState::Delivered).await;
    }
    desk.check().await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_loses_nothing() {
    let desk = Desk::new();
    let running = desk.run();
    let call = {
        desk.enqueue("alice", "0").await;
        desk.call().await
    };
    desk.enqueue("alice", "1").await;
    desk.clock.advance(SignedDuration::from_mins(5));
    let id = call.delivery;
    call.deliver();
    assert!(!desk.until(id, DeliveryState::Delivered).await.repeat_possible);
    desk.deliver("1").await;
    desk.check().await;
    running.stop().await;
}
