//! The server's own tables.

use tidings_store::Migrations;

/// The tables of this crate: API keys, and the record of what was changed with them.
///
/// Times are Unix microseconds. A key's secret is not kept, only its SHA-256. `api_audit` numbers its rows and never
/// uses a number again, so that a cursor stays where it was when old rows are pruned.
pub(crate) const MIGRATIONS: Migrations = Migrations {
    component: "server",
    postgres: &[],
    sqlite: &[VERSION_1],
};

const VERSION_1: &str = "
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL CHECK (length(secret_sha256) = 32),
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE api_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    scope TEXT NOT NULL,
    method TEXT NOT NULL,
    route TEXT NOT NULL,
    target TEXT NOT NULL,
    status INTEGER,
    remote_address TEXT
) STRICT;
CREATE INDEX api_audit_at ON api_audit (at);
";
