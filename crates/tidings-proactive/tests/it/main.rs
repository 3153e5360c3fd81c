//! The engine from outside: real database, mock channel, manual clock. Nothing sleeps; every wait is for a signal.

mod desk;
mod failure;
mod jobs;
mod order;
mod restart;
mod shutdown;
mod trouble;
