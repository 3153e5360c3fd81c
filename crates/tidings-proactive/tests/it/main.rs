//! The engine from outside: real database, mock channel, manual clock. Nothing sleeps; every wait is for a signal.
#![expect(
    clippy::unwrap_used,
    reason = "a test, and whatever helps one, fails by panicking"
)]

mod desk;
mod failure;
mod jobs;
mod log_lines;
mod migrations;
mod order;
mod restart;
mod shutdown;
mod stats;
mod stored_reference;
mod trouble;
