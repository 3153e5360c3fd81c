//! The channel as its clients and its bot see it.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod activities;
mod connector;
mod connector_key;
mod conversations;
mod faults;
mod kit;
mod limits;
#[cfg(unix)]
mod nodes;
mod restart;
mod streams;
mod tokens;
mod uploads;
mod watermark;
