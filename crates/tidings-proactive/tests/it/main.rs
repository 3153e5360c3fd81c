//! The engine from outside: real database, mock channel, manual clock. Nothing sleeps; every wait is for a signal.
#![expect(
    clippy::unwrap_used,
    reason = "a test, and whatever helps one, fails by panicking"
)]

mod clock;
mod desk;
mod enqueue;
mod failure;
mod handlers;
mod held;
mod jobs;
mod limits;
mod log_lines;
mod migrations;
mod nodes;
mod order;
#[cfg(unix)]
mod outage;
mod pace;
mod reopen;
mod restart;
mod schedule;
mod shutdown;
mod stats;
mod stored_reference;
mod trouble;
mod unknown;
mod wire;
