//! The bot as its users see it: every row of its table of commands, with the real job log and the real worker.
#![expect(
    clippy::unwrap_used,
    reason = "a test, and whatever helps one, fails by panicking"
)]

mod commands;
mod completion;
mod crowd;
mod window;
