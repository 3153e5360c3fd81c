//! Turns of one conversation begin in the order of its history.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// A queue per conversation, kept only while somebody is in it.
#[derive(Debug, Default)]
pub(crate) struct Order(Lock<HashMap<String, Arc<Mutex<()>>>>);

/// The first place of a conversation's queue.
pub(crate) struct Turn {
    order: Arc<Order>,
    conversation: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Order {
    /// Waits, fairly, until it is this caller's turn.
    pub(crate) async fn enter(self: &Arc<Self>, conversation: &str) -> Turn {
        let queue = Arc::clone(self.lock().entry(conversation.to_owned()).or_default());
        let guard = queue.lock_owned().await;
        Turn {
            order: Arc::clone(self),
            conversation: conversation.to_owned(),
            guard: Some(guard),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.order.lock();
        drop(self.guard.take());
        if queues
            .get(&self.conversation)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            queues.remove(&self.conversation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_queue_per_conversation_and_leave_nothing_behind() {
        let order = Arc::new(Order::default());
        let first = order.enter("a").await;
        let elsewhere = order.enter("b").await;
        let waiting = tokio::spawn({
            let order = Arc::clone(&order);
            async move { order.enter("a").await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        drop(waiting.await.unwrap());
        drop(elsewhere);
        assert!(order.lock().is_empty());
    }
}
