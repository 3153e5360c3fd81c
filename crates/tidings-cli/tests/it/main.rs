//! The command as its user meets it: the real binary, started in a folder of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; so do its helpers")]

mod backup;
mod binary;
mod bot_file;
mod command_line;
mod deliveries;
mod doctor;
mod keys;
mod life;
mod refusals;
mod traces;
