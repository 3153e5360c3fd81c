//! The connector client against servers that behave, and against some that do not.

mod answers;
mod attachments;
mod endpoints;
mod guard;
mod ids;
mod jwt;
mod phases;
mod pool;
mod raw_server;

use std::time::Duration;

use tidings_activity::Activity;
use tidings_connector::ConnectorClient;

/// A client as local mode has it.
fn client() -> ConnectorClient {
    ConnectorClient::builder()
        .build()
        .expect("the defaults make sense")
}

/// A client that gives up soon, for servers that never answer.
fn hasty_client() -> ConnectorClient {
    ConnectorClient::builder()
        .timeout(Duration::from_secs(1))
        .build()
        .expect("a short time makes sense")
}

fn hello() -> Activity {
    Activity::message("hello, channel")
}
