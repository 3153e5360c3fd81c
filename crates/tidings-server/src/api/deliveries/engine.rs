//! The engine behind the API's door.

use async_trait::async_trait;
use tidings_proactive::{DeliveryState, Enqueue, Proactive, ProactiveError};

use super::intake::{Intake, NotTaken, Taken, Why};
use super::order::{Order, OrderContent};

#[async_trait]
impl Intake for Proactive {
    async fn take(&self, orders: Vec<Order>) -> Result<Taken, NotTaken> {
        let mut deliveries = Vec::with_capacity(orders.len());
        for (order, wanted) in orders.into_iter().enumerate() {
            let refused = |why| NotTaken { order, why };
            deliveries.push(one(self, wanted).await.map_err(refused)?);
        }
        Ok(Taken {
            deliveries,
            predicted_finish: None,
        })
    }
}

async fn one(
    engine: &Proactive,
    order: Order,
) -> Result<(tidings_proactive::DeliveryId, DeliveryState), Why> {
    let failed = |error: ProactiveError| Why::Failed(error.to_string());
    let OrderContent::Activity(activity) = order.content else {
        return Err(Why::Invalid("handlers are not run yet".to_owned()));
    };
    let reference = engine
        .last_reference(order.conversation_id)
        .await
        .map_err(failed)?
        .ok_or(Why::UnknownConversation)?
        .reference;
    let mut enqueue = Enqueue::new(engine, reference, &activity).map_err(failed)?;
    if let Some(key) = order.dedupe_key {
        enqueue = enqueue.dedupe_key(key);
    }
    Ok((enqueue.commit().await.map_err(failed)?, DeliveryState::Available))
}
