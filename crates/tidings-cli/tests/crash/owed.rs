//! What the server has accepted, as its callers know it.

use jiff::Timestamp;
use serde::Serialize;

/// One message that a caller was told will be delivered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Owed {
    /// The activity's text, which no other has.
    pub(crate) text: String,
    pub(crate) conversation: String,
    /// What it is in order with, within its conversation.
    pub(crate) class: &'static str,
    /// Its place there; `None` where it may come in any order.
    pub(crate) place: Option<u64>,
    pub(crate) at_most_once: bool,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// Whether its caller was told that it is cancelled.
    pub(crate) cancelled: bool,
    /// Whether its caller does not know if it was accepted.
    pub(crate) doubtful: bool,
    /// The id that the caller was told; a job's message has one that nobody is told.
    pub(crate) id: Option<i64>,
}

impl Owed {
    pub(crate) fn new(text: String, conversation: &str, class: &'static str) -> Self {
        Self {
            text,
            conversation: conversation.to_owned(),
            class,
            place: None,
            at_most_once: false,
            not_before: None,
            expires_at: None,
            cancelled: false,
            doubtful: false,
            id: None,
        }
    }
}
