//! The bound server as its callers see it, over real sockets.

mod bad_input;
mod channel_faults;
mod connections;
mod guard;
mod harness;
mod jobs;
mod local_channel;
mod messages;
mod page;
mod raw_http;
mod shutdown;
mod start;
