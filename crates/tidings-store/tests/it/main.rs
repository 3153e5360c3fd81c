//! What `tidings-store` promises, tried from outside.
#![expect(
    clippy::unwrap_used,
    reason = "a test, and whatever helps one, fails by panicking"
)]

mod backup;
mod commit;
mod contract;
mod crash;
mod engine;
mod group_commit;
mod held_writer;
mod inspection;
mod lifetime;
mod migrations;
mod model;
mod notes;
mod open_errors;
mod postgres;
mod readers;
mod rows;
mod transactions;
