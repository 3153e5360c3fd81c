//! Limits that an operator sets.

use std::time::Duration;

use tidings_proactive::{ChannelLimits, DeliveriesError, Limit, LimitScope};

use crate::desk::Desk;

fn limits(channel: &str, scope: LimitScope, windows: &[(u64, u32)]) -> ChannelLimits {
    ChannelLimits {
        channel_id: channel.to_owned(),
        scope,
        windows: windows
            .iter()
            .map(|&(seconds, permits)| Limit {
                period: Duration::from_secs(seconds),
                permits,
            })
            .collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_limits_of_before_goes_on_under_the_new_ones() {
    let desk = Desk::new();
    let deliveries = desk.proactive.deliveries();
    for (scope, reason) in [(LimitScope::Lane, "pacing"), (LimitScope::Tenant, "budget")] {
        deliveries
            .set_limits(limits("test", scope, &[(3600, 1)]))
            .await
            .unwrap();
        let conversation = scope.as_str();
        let running = desk.run();
        desk.enqueue(conversation, "first").await;
        desk.enqueue(conversation, "second").await;
        desk.deliver("first").await;
        desk.until_waits(conversation, reason).await;
        deliveries
            .set_limits(limits("test", scope, &[(3600, 2)]))
            .await
            .unwrap();
        desk.deliver("second").await;
        desk.enqueue(conversation, "third").await;
        desk.until_waits(conversation, reason).await;
        deliveries.set_limits(limits("test", scope, &[])).await.unwrap();
        desk.deliver("third").await;
        desk.check().await;
        running.stop().await;
    }
    // Each wait ended when it was over, not when it would have been.
    let open = desk
        .texts("SELECT reason FROM delivery_waits WHERE until > since + 60000000")
        .await;
    assert_eq!(open, Vec::<String>::new());
}

#[tokio::test]
async fn limits_are_listed_as_they_were_set() {
    let desk = Desk::new();
    let deliveries = desk.proactive.deliveries();
    let teams = deliveries.limits().await.unwrap();
    assert_eq!(
        teams,
        [
            limits(
                "msteams",
                LimitScope::Lane,
                &[(1, 7), (2, 8), (30, 60), (3600, 1800)]
            ),
            limits("msteams", LimitScope::Tenant, &[(1, 50)])
        ]
    );
    let of_sms = limits("sms", LimitScope::Lane, &[(1, 1), (60, 30)]);
    deliveries.set_limits(of_sms.clone()).await.unwrap();
    assert_eq!(deliveries.limits().await.unwrap()[2..], [of_sms]);
    let wrong = deliveries
        .set_limits(limits("sms", LimitScope::Lane, &[(1, 0)]))
        .await;
    assert!(
        matches!(&wrong, Err(DeliveriesError::Limits(error)) if error.field == "windows"),
        "{wrong:?}"
    );
    deliveries
        .set_limits(limits("sms", LimitScope::Lane, &[]))
        .await
        .unwrap();
    assert_eq!(deliveries.limits().await.unwrap(), teams);
}
