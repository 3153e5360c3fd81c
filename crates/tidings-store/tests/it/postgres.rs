//! What is PostgreSQL's alone.

mod collisions;
mod gone;
mod migrations;
mod opening;
mod tls;
