use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};

use tidings_store::{Database, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A writer that stands inside an operation, so that whatever is queued meanwhile is taken up together.
pub(crate) struct HeldWriter {
    release: Sender<()>,
    operation: JoinHandle<Result<(), StoreError>>,
    queued: (mpsc::UnboundedSender<()>, mpsc::UnboundedReceiver<()>),
}

impl HeldWriter {
    pub(crate) async fn hold(database: &Database) -> HeldWriter {
        let (entered, inside) = oneshot::channel();
        let (release, released) = channel();
        let database = database.clone();
        let operation = tokio::spawn(async move {
            database
                .write(move |_| {
                    entered.send(()).unwrap();
                    released.recv().map_err(StoreError::other)
                })
                .await
        });
        inside.await.unwrap();
        HeldWriter {
            release,
            operation,
            queued: mpsc::unbounded_channel(),
        }
    }

    /// Starts `operation` and returns once it waits in the queue.
    pub(crate) async fn queue<T: Send + 'static>(
        &mut self,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let mut signal = Some(self.queued.0.clone());
        let task = tokio::spawn(async move {
            let mut operation = pin!(operation);
            poll_fn(move |context| {
                let poll = operation.as_mut().poll(context);
                if let Some(signal) = signal.take() {
                    signal.send(()).unwrap();
                }
                poll
            })
            .await
        });
        self.queued.1.recv().await.unwrap();
        task
    }

    pub(crate) async fn release(self) {
        self.release.send(()).unwrap();
        self.operation.await.unwrap().unwrap();
    }
}
