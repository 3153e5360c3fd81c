//! The connector client against servers that behave, and against some that do not.

mod answers;
mod app_tokens;
mod attachments;
mod bot_file;
mod endpoints;
mod guard;
mod guarded_names;
mod identity;
mod ids;
mod jwt;
mod phases;
mod pool;
mod published_keys;
mod raw_server;
mod token_requests;

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
