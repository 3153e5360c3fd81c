-- The same table with its checks spelled out: SQLite fills a temporary table for each `IN` list of more than two, at
-- every insert and update.

CREATE TABLE deliveries_anew (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    channel_id       TEXT    NOT NULL,
    conversation_id  TEXT    NOT NULL,
    class            TEXT    NOT NULL,
    state            TEXT    NOT NULL
                     CHECK (state = 'delivered' OR state = 'sending' OR state = 'available' OR state = 'retryable'
                            OR state = 'dead' OR state = 'expired'),
    -- Why the delivery is dead, one word.
    reason           TEXT,
    reference        TEXT    NOT NULL,
    activity         TEXT    NOT NULL,
    dedupe_key       TEXT    UNIQUE,
    -- When the head of a conversation may be claimed next.
    due_at           INTEGER,
    expires_at       INTEGER NOT NULL,
    -- How often sending began. Counted when the row is claimed, so a crash counts too.
    starts           INTEGER NOT NULL DEFAULT 0,
    -- 1 when an attempt may have reached the user although it was not recorded as delivered.
    repeat_possible  INTEGER NOT NULL DEFAULT 0 CHECK (repeat_possible = 0 OR repeat_possible = 1),
    -- What the last failed attempt said.
    error_status     INTEGER,
    error_code       TEXT,
    error_message    TEXT,
    -- The id the channel gave the delivered activity.
    activity_id      TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    CHECK ((ended_at IS NULL) = (state = 'sending' OR state = 'available' OR state = 'retryable')),
    CHECK (due_at IS NULL OR state = 'available' OR state = 'retryable')
) STRICT;

INSERT INTO deliveries_anew SELECT * FROM deliveries;
-- Numbers of rows that are gone are not given out again.
DELETE FROM sqlite_sequence WHERE name = 'deliveries_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries_anew', seq FROM sqlite_sequence WHERE name = 'deliveries';
DROP TABLE deliveries;
ALTER TABLE deliveries_anew RENAME TO deliveries;

CREATE INDEX deliveries_open ON deliveries (channel_id, conversation_id, id) WHERE ended_at IS NULL;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
