-- Times are Unix microseconds. `reference` and `activity` are JSON as the protocol spells it.

CREATE TABLE jobs (
    -- AUTOINCREMENT: a number is typed by people, so it is short and never given out twice.
    -- 2^53 is where JavaScript channels begin to round.
    number          INTEGER PRIMARY KEY AUTOINCREMENT CHECK (number < 9007199254740992),
    channel_id      TEXT    NOT NULL,
    conversation_id TEXT    NOT NULL,
    reference       TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('running', 'complete')),
    started_at      INTEGER NOT NULL,
    completed_at    INTEGER,
    -- The delivery that tells the creator. No foreign key: deliveries may be pruned before their job.
    notice_id       INTEGER,
    CHECK ((state = 'complete') = (completed_at IS NOT NULL))
) STRICT;

-- The first job is 1001: a number of four digits is not mistaken for a digit of an id or a place in a list.
INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', 1000);

-- One activity owed to one conversation. In each conversation the oldest row that has not ended is the
-- head: it is `sending`, or it has a `due_at`. The rows behind it are `available` without a `due_at`.
CREATE TABLE deliveries (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    channel_id       TEXT    NOT NULL,
    conversation_id  TEXT    NOT NULL,
    class            TEXT    NOT NULL,
    state            TEXT    NOT NULL
                     CHECK (state IN ('available', 'sending', 'retryable', 'delivered', 'dead', 'expired')),
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
    repeat_possible  INTEGER NOT NULL DEFAULT 0 CHECK (repeat_possible IN (0, 1)),
    -- What the last failed attempt said.
    error_status     INTEGER,
    error_code       TEXT,
    error_message    TEXT,
    -- The id the channel gave the delivered activity.
    activity_id      TEXT,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    ended_at         INTEGER,
    CHECK ((ended_at IS NULL) = (state IN ('available', 'sending', 'retryable'))),
    CHECK (due_at IS NULL OR state IN ('available', 'retryable'))
) STRICT;

-- Both hold only what they are asked for, so a message sent at the first attempt costs little.
CREATE INDEX deliveries_open ON deliveries (channel_id, conversation_id, id) WHERE ended_at IS NULL;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
