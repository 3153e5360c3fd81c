//! The SDK as its user meets it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admission;
mod connector;
mod handlers;
mod hooks;
mod inbox;
#[cfg(unix)]
mod nodes;
mod order;
mod outcome;
mod proactive;
mod redelivery;
mod routes;
mod sending;
mod slow;
mod staged;
mod state;
mod support;
