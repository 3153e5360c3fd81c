//! Looking at the deliveries without changing them.

mod address;
mod detail;
mod page;
mod predict;
pub(crate) mod row;
mod summary;

pub(crate) use address::{address, addresses};
pub(crate) use detail::{detail, one};
pub(crate) use page::{lanes, page};
pub(crate) use predict::predicted_finish;
pub(crate) use summary::{Stopped, oldest_waiting, pauses, summary};

#[cfg(test)]
mod tests;
