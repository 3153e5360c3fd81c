//! The SDK as its user meets it.

mod admission;
mod connector;
mod handlers;
mod hooks;
mod order;
mod outcome;
mod proactive;
mod redelivery;
mod routes;
mod sending;
mod staged;
mod state;
mod support;
