use std::sync::Arc;
use std::time::Duration;

use tidings_store::ManualClock;

use super::*;
use crate::delivery::DeliveryState;
use crate::ledger::prune::Pruner;
use crate::test_ledger::{at, check_lanes, database, delivery, lane, number, write};

struct Rig {
    database: tidings_store::Database,
    deliveries: Deliveries,
    /// A dead delivery, and one that waits behind it.
    dead: DeliveryId,
    waiting: DeliveryId,
}

async fn rig() -> Rig {
    let database = database();
    let (dead, waiting) = write(&database, |tx| {
        let lane = lane(tx, "msteams", "a");
        let dead = delivery(tx, lane, "message", DeliveryState::Dead, 10);
        Ok((dead, delivery(tx, lane, "message", DeliveryState::Available, 11)))
    })
    .await;
    let clock = Arc::new(ManualClock::new(at(100)));
    Rig {
        deliveries: Proactive::new(database.clone(), clock).deliveries(),
        database,
        dead: DeliveryId(dead),
        waiting: DeliveryId(waiting),
    }
}

#[tokio::test]
async fn an_operator_is_told_what_was_done_or_why_not() {
    let Rig {
        database,
        deliveries,
        dead,
        waiting,
    } = rig().await;
    let watch = deliveries.watch();
    let cancelled = deliveries.cancel(waiting).await.unwrap();
    assert_eq!(
        (cancelled.state, cancelled.ended_at),
        (DeliveryState::Cancelled, Some(at(100)))
    );
    assert!(watch.has_changed().unwrap());
    let says = deliveries.cancel(waiting).await.unwrap_err().to_string();
    assert_eq!(
        says,
        format!("delivery {waiting} is cancelled and cannot be cancelled: it has ended")
    );
    let again = deliveries.retry(dead, false).await.unwrap();
    assert_eq!(deliveries.get(again).await.unwrap().unwrap().retry_of, Some(dead));
    let says = deliveries.retry(again, false).await.unwrap_err().to_string();
    assert!(
        says.ends_with("it has not ended, so it still has its chance"),
        "{says}"
    );
    let says = deliveries.cancel(DeliveryId(99)).await.unwrap_err().to_string();
    assert_eq!(says, "no delivery has the id 99");
    write(&database, |tx| {
        check_lanes(tx);
        tx.execute("UPDATE lanes SET closed_reason = 'blocked', next_at = NULL", &[])?;
        tx.execute(
            "UPDATE deliveries SET state = 'dead', ended_at = 1 WHERE ended_at IS NULL",
            &[],
        )?;
        tx.execute("UPDATE lanes SET backlog = 0", &[])
    })
    .await;
    let says = deliveries.retry(again, false).await.unwrap_err().to_string();
    assert!(
        says.contains("closed (blocked)") && says.contains("reopen"),
        "{says}"
    );
    deliveries.retry(again, true).await.unwrap();
    assert_eq!(
        deliveries
            .list(DeliveryFilter::default(), 10)
            .await
            .unwrap()
            .deliveries
            .len(),
        4
    );
}

#[tokio::test]
async fn pauses_are_durable_and_end() {
    let Rig {
        database, deliveries, ..
    } = rig().await;
    let lane_a = |channel: Option<&str>| PauseTarget::Lane {
        channel_id: channel.map(str::to_owned),
        conversation_id: "a".to_owned(),
    };
    let targets = [
        PauseTarget::All,
        PauseTarget::Channel("msteams".to_owned()),
        lane_a(None),
    ];
    for target in targets.clone() {
        deliveries.pause(target).await.unwrap();
    }
    let pauses = deliveries.pauses().await.unwrap();
    assert_eq!(
        (pauses.all, pauses.channels.len(), pauses.lanes.len()),
        (true, 1, 1)
    );
    for target in targets {
        deliveries.resume(target).await.unwrap();
    }
    assert_eq!(deliveries.pauses().await.unwrap(), Pauses::default());
    write(&database, |tx| {
        check_lanes(tx);
        lane(tx, "sms", "a");
        Ok(())
    })
    .await;
    for call in [
        deliveries.pause(lane_a(None)).await,
        deliveries.resume(lane_a(None)).await,
    ] {
        assert!(
            matches!(call, Err(DeliveriesError::AmbiguousLane { .. })),
            "{call:?}"
        );
    }
    deliveries.pause(lane_a(Some("sms"))).await.unwrap();
    let says = deliveries
        .pause(lane_a(Some("web")))
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        says,
        "nothing was ever owed to the conversation a of the channel web"
    );
}

#[tokio::test]
async fn what_is_old_is_pruned() {
    let Rig {
        database, deliveries, ..
    } = rig().await;
    let mut pruner = Pruner::new(Duration::from_secs(30));
    let pruned = deliveries.prune(&mut pruner).await.unwrap();
    assert_eq!((pruned.deliveries, pruned.lanes), (1, 0));
    let left = write(&database, |tx| Ok(number(tx, "SELECT count(*) FROM deliveries"))).await;
    assert_eq!(left, 1);
}
