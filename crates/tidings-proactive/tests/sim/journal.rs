//! What the channel saw: the oracle.

use std::sync::Mutex;

use crate::world::lock;

/// One call of the engine to its channel. Times are microseconds since the simulation began.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) delivery: i64,
    pub(crate) lane: String,
    pub(crate) node: usize,
    pub(crate) began: u64,
    /// When the channel had the whole request.
    pub(crate) reached: Option<u64>,
    /// The id of the activity, if the channel showed it to the user.
    pub(crate) accepted: Option<String>,
    /// When the call ended, or its node.
    pub(crate) ended: Option<u64>,
    /// What the node was told; `None` if it did not live to hear it.
    pub(crate) answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// It proved that nothing had left.
    NotReached,
    /// The connection broke after the request had left.
    Broken,
    Status(u16),
    /// 429, with what it asks to wait, in microseconds.
    Throttled(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Vec<Call>>);

impl Journal {
    /// Notes a call that begins, and returns its number.
    pub(crate) fn begin(&self, call: Call) -> usize {
        let mut calls = lock(&self.0);
        calls.push(call);
        calls.len() - 1
    }

    pub(crate) fn note(&self, number: usize, note: impl FnOnce(&mut Call)) {
        note(&mut lock(&self.0)[number]);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.0).clone()
    }
}
