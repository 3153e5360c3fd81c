//! The bound server as its callers see it, over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; so do its helpers")]

mod authenticated;
mod bad_input;
mod channel_faults;
mod connections;
mod deliveries;
mod guard;
mod harness;
mod jobs;
mod keys;
mod local_channel;
mod messages;
#[cfg(unix)]
mod outage;
mod page;
mod raw_http;
mod set_up;
mod shutdown;
mod slow_turns;
mod start;
