//! What holds when the process is killed at any moment: the real binary on a real database, and a channel that keeps a
//! journal of every POST. See `oracle` for what is checked.
//!
//! `TIDINGS_CRASH_KILLS` sets how often it is killed (100), `TIDINGS_CRASH_SEED` what the choices follow from (1):
//!
//! ```text
//! TIDINGS_CRASH_KILLS=5000 TIDINGS_CRASH_SEED=7 cargo test -p tidings-cli --test crash -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test fails by panicking; so do its helpers")]
#![expect(clippy::print_stdout, reason = "what a run has seen is worth a line")]

mod channel;
mod cluster;
mod dice;
mod door;
mod journal;
mod killer;
mod ledger;
mod load;
mod node;
mod oracle;
mod owed;
mod run;
mod settings;
mod survival;
