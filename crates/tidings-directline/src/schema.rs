//! The channel's tables.

use tidings_store::Migrations;

/// The tables of this crate: give them to `DatabaseOptions` before the database is opened.
///
/// Times are Unix microseconds. An activity has a `number`, which is in its id and never changes, and a
/// `position`, which is what watermarks count: both are the next count of the conversation when the activity
/// is new, and an update or a deletion moves the row to a new position, so that every client gets it once
/// more.
pub const MIGRATIONS: Migrations = Migrations {
    component: "directline",
    postgres: &[],
    sqlite: &[VERSION_1],
};

const VERSION_1: &str = "
CREATE TABLE directline_key (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    signing_key BLOB NOT NULL
);

CREATE TABLE directline_conversations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id TEXT,
    user_name TEXT,
    locale TEXT,
    started_at INTEGER NOT NULL,
    last_position INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL
);

CREATE TABLE directline_members (
    number INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES directline_conversations (number),
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    UNIQUE (conversation, id)
);

CREATE TABLE directline_activities (
    conversation INTEGER NOT NULL REFERENCES directline_conversations (number),
    number INTEGER NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    from_bot INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    delivery TEXT,
    body TEXT NOT NULL,
    UNIQUE (conversation, number),
    UNIQUE (conversation, position)
);
CREATE UNIQUE INDEX directline_activities_delivery
    ON directline_activities (conversation, delivery) WHERE delivery IS NOT NULL;
CREATE INDEX directline_activities_at ON directline_activities (at);

CREATE TABLE directline_attachments (
    id TEXT PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES directline_conversations (number),
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    original BLOB NOT NULL,
    thumbnail BLOB
);
CREATE INDEX directline_attachments_expires ON directline_attachments (expires_at);
";
