use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpError, Request, Response};
use tidings_connector::HttpClient;
use tokio::runtime::{Builder, Runtime};

/// Brings batches to the collector, with the server's own HTTP client and on a thread of its own: it is called from a
/// thread without a runtime, and to the end, when the server's runtime may be gone.
#[derive(Debug)]
pub(super) struct Collector {
    client: Arc<HttpClient>,
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

impl Collector {
    pub(super) fn start(timeout: Duration) -> io::Result<Collector> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tidings-traces")
            .enable_all()
            .build()?;
        Ok(Collector {
            client: Arc::new(HttpClient::new(timeout)),
            runtime: Some(runtime),
        })
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = self.runtime.as_ref().ok_or("the traces have ended")?;
        let client = Arc::clone(&self.client);
        let answer = runtime.spawn(async move { client.call(request).await });
        Ok(answer.await??)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Waiting for its threads is not allowed inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
