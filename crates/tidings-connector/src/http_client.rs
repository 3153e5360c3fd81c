//! HTTP for the program itself.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};

use crate::SendError;
use crate::transport::{Deadline, Transport};

/// What is read of an answer at most.
const LIMIT: usize = 64 * 1024;

/// Calls addresses that the operator has set, such as that of a collector of traces: no guard, no token, no redirect, no
/// proxy, and no second try.
///
/// Addresses that come from outside are for [`ConnectorClient`](crate::ConnectorClient), which judges them first.
#[derive(Debug)]
pub struct HttpClient {
    transport: Transport,
    timeout: Duration,
}

impl HttpClient {
    /// A client whose calls take at most `timeout` each, from connecting to the end of the answer.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            transport: Transport::new(timeout),
            timeout,
        }
    }

    /// Sends a request and returns what is answered, whatever its status; of the body the first 64 KiB.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        let deadline = Deadline::after(self.timeout);
        let answer = self
            .transport
            .exchange(request.map(Some), deadline, LIMIT)
            .await?;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
