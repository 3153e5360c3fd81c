use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// What an invoke is answered with: the HTTP status and body.
///
/// Inside an SDK it travels as the value of an `invokeResponse` activity; it is never sent to a channel.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InvokeResponse {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; None for an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Raw>,
}

impl InvokeResponse {
    /// An answer with this status and body.
    pub fn new(status: u16, body: Option<Raw>) -> Self {
        Self { status, body }
    }
}
