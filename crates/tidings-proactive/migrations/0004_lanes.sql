-- Lanes: a conversation that deliveries go to, in order and at a pace. Times are Unix microseconds.
CREATE TABLE lanes (
    id              INTEGER PRIMARY KEY,
    channel_id      TEXT    NOT NULL,
    conversation_id TEXT    NOT NULL,
    -- Whose budget it uses: conversation.tenantId, else channelData.tenant.id, else ''.
    tenant          TEXT    NOT NULL,
    -- Why the channel takes nothing there any more; NULL while it is open.
    closed_reason   TEXT,
    -- Whether an operator has stopped it.
    paused          INTEGER NOT NULL DEFAULT 0,
    -- From when it may be claimed. NULL: a node has it, or nothing in it is ready.
    next_at         INTEGER,
    -- Why next_at is later than the deliveries would have it.
    wait_reason     TEXT,
    -- The node that sends in it now.
    node            INTEGER,
    -- Rises with each claim and each taking over; a write that brings an older one is refused.
    epoch           INTEGER NOT NULL DEFAULT 0,
    -- How many of its deliveries have not ended.
    backlog         INTEGER NOT NULL DEFAULT 0,
    -- What was sent lately, as its limits count it; NULL where there are none.
    meter           TEXT,
    UNIQUE (conversation_id, channel_id),
    CHECK (node IS NULL OR next_at IS NULL)
) STRICT;
CREATE INDEX lanes_ready ON lanes (next_at) WHERE next_at IS NOT NULL;

-- What is read of a lane only when something is sent in it. Apart, so that the rows that change often are small.
CREATE TABLE lane_addresses (
    lane_id         INTEGER PRIMARY KEY,
    -- The host of the serviceUrl.
    host            TEXT    NOT NULL,
    -- The newest reference and identity that something was owed with, as JSON.
    reference       TEXT    NOT NULL,
    identity        TEXT,
    closed_at       INTEGER,
    -- What the channel answered when the lane was closed, as JSON.
    evidence        TEXT
) STRICT;

CREATE TABLE deliveries_in_lanes (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    lane_id         INTEGER NOT NULL,
    -- Order holds within a lane and a class.
    class           TEXT    NOT NULL,
    -- Where it stands among the others of its class: the place of the delivery that it is a child of; NULL: its own id.
    place           INTEGER,
    state           TEXT    NOT NULL
                    CHECK (state = 'delivered' OR state = 'sending' OR state = 'available' OR state = 'retryable'
                           OR state = 'scheduled' OR state = 'held' OR state = 'dead' OR state = 'expired'
                           OR state = 'cancelled' OR state = 'refused' OR state = 'merged' OR state = 'unknown'),
    -- Why it is dead, refused, held or waits, one word.
    reason          TEXT,
    -- What to do when nobody knows whether it arrived: at_least_once, at_most_once, reconcile.
    policy          TEXT    NOT NULL,
    -- NULL where they are those of the lane.
    reference       TEXT,
    identity        TEXT,
    -- Either an activity, or a handler's name and its payload.
    activity        TEXT,
    handler         TEXT,
    payload         TEXT,
    -- When it is looked at again: set exactly while it is scheduled, held with an end, or waits to be tried again.
    due_at          INTEGER,
    expires_at      INTEGER NOT NULL,
    -- How often sending began. Counted when it is claimed, so a crash counts too.
    starts          INTEGER NOT NULL DEFAULT 0,
    -- When sending began the last time.
    began_at        INTEGER,
    -- True when an attempt may have reached the user although nobody knows.
    repeat_possible INTEGER NOT NULL DEFAULT 0,
    -- What the last failed attempt said.
    error_status    INTEGER,
    error_code      TEXT,
    error_message   TEXT,
    -- The id the channel gave the delivered activity.
    activity_id     TEXT,
    -- The trace that it was put on record in (W3C traceparent).
    trace           TEXT,
    -- The delivery whose handler sent this, the one it was retried for, the one it was merged into.
    parent_id       INTEGER,
    retry_of        INTEGER,
    merged_into     INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    CHECK ((activity IS NULL) = (handler IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (state = 'sending' OR state = 'available' OR state = 'retryable'
                                 OR state = 'scheduled' OR state = 'held')),
    CHECK (due_at IS NULL OR state = 'scheduled' OR state = 'held' OR state = 'retryable')
) STRICT;

-- Failed attempts, and those whose outcome nobody knows. An attempt that delivered is in the delivery's own row.
CREATE TABLE attempts (
    delivery_id     INTEGER NOT NULL,
    -- The how-manieth start it was.
    start           INTEGER NOT NULL,
    node            INTEGER NOT NULL,
    epoch           INTEGER NOT NULL,
    began_at        INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    -- not_sent, throttled, unauthorized, closed, rejected, unknown, lost
    outcome         TEXT    NOT NULL,
    status          INTEGER,
    code            TEXT,
    message         TEXT,
    -- What the channel asked to wait, in milliseconds.
    retry_after_ms  INTEGER,
    PRIMARY KEY (delivery_id, start)
) STRICT, WITHOUT ROWID;

-- Every wait of a delivery that was the next of its class, and why.
CREATE TABLE delivery_waits (
    delivery_id     INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    until           INTEGER,
    -- backoff, retry_after, pacing, budget, breaker, paused, scheduled, held
    reason          TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, since)
) STRICT, WITHOUT ROWID;

CREATE TABLE dedupe_keys (
    tenant          TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    delivery_id     INTEGER NOT NULL,
    -- SHA-256 of what was owed, so that another body under the same key is noticed.
    body_sha256     BLOB    NOT NULL,
    expires_at      INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX dedupe_keys_by_expiry ON dedupe_keys (expires_at);

-- Each process that sends. Its lanes are taken over when it has not renewed `alive_until` in time.
CREATE TABLE nodes (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT    NOT NULL,
    started_at      INTEGER NOT NULL,
    alive_until     INTEGER NOT NULL
) STRICT;

-- How often a channel may be called: for each lane, and for each tenant of the app.
CREATE TABLE limits (
    channel_id      TEXT    NOT NULL,
    -- lane, tenant
    scope           TEXT    NOT NULL,
    period_ms       INTEGER NOT NULL,
    permits         INTEGER NOT NULL,
    PRIMARY KEY (channel_id, scope, period_ms)
) STRICT, WITHOUT ROWID;
-- What Microsoft publishes for Teams: sends to a thread, and requests of an app in a tenant.
INSERT INTO limits (channel_id, scope, period_ms, permits) VALUES
    ('msteams', 'lane', 1000, 7), ('msteams', 'lane', 2000, 8), ('msteams', 'lane', 30000, 60),
    ('msteams', 'lane', 3600000, 1800), ('msteams', 'tenant', 1000, 50);

-- What was sent lately in a tenant, and until when a channel asked to leave it alone. Tenant '*' is the whole app.
CREATE TABLE budgets (
    channel_id      TEXT    NOT NULL,
    tenant          TEXT    NOT NULL,
    meter           TEXT,
    paused_until    INTEGER,
    PRIMARY KEY (channel_id, tenant)
) STRICT, WITHOUT ROWID;

-- What an operator has stopped: scope 'all' (channel_id '') or 'channel'.
CREATE TABLE pauses (
    scope           TEXT    NOT NULL,
    channel_id      TEXT    NOT NULL,
    since           INTEGER NOT NULL,
    PRIMARY KEY (scope, channel_id)
) STRICT, WITHOUT ROWID;

-- What was owed before: each conversation becomes a lane with the reference of its newest delivery.
INSERT INTO lanes (channel_id, conversation_id, tenant, next_at, backlog)
    SELECT channel_id, conversation_id, '', min(CASE WHEN ended_at IS NULL THEN 0 END), count(*) - count(ended_at)
    FROM deliveries GROUP BY channel_id, conversation_id;
INSERT INTO lane_addresses (lane_id, host, reference, identity)
    SELECT lanes.id, '', deliveries.reference, deliveries.identity
    FROM lanes JOIN deliveries ON deliveries.id = (
        SELECT max(newest.id) FROM deliveries AS newest
        WHERE newest.channel_id = lanes.channel_id AND newest.conversation_id = lanes.conversation_id);
-- The host is filled in when the next is owed.
UPDATE lanes SET tenant = coalesce(
    (SELECT CASE WHEN json_valid(reference) THEN json_extract(reference, '$.conversation.tenantId') END
     FROM lane_addresses WHERE lane_id = lanes.id), '');
INSERT INTO deliveries_in_lanes (id, lane_id, class, state, reason, policy, reference, identity, activity, due_at,
                                 expires_at, starts, began_at, repeat_possible, error_status, error_code,
                                 error_message, activity_id, created_at, updated_at, ended_at)
    SELECT d.id, lanes.id, d.class, CASE d.state WHEN 'sending' THEN 'retryable' ELSE d.state END, d.reason,
           'at_least_once', d.reference, d.identity, d.activity,
           CASE WHEN d.state = 'sending' THEN d.updated_at WHEN d.state = 'retryable' THEN d.due_at END,
           d.expires_at, d.starts, CASE WHEN d.starts > 0 THEN d.updated_at END,
           max(d.repeat_possible, d.state = 'sending'), d.error_status, d.error_code, d.error_message, d.activity_id,
           d.created_at, d.updated_at, d.ended_at
    FROM deliveries AS d JOIN lanes USING (channel_id, conversation_id);
INSERT INTO dedupe_keys (tenant, key, delivery_id, body_sha256, expires_at)
    SELECT tenant, dedupe_key, deliveries.id, zeroblob(32), created_at + 604800000000
    FROM deliveries JOIN lanes USING (channel_id, conversation_id) WHERE dedupe_key IS NOT NULL;
-- Numbers of rows that are gone are not given out again.
DELETE FROM sqlite_sequence WHERE name = 'deliveries_in_lanes';
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'deliveries_in_lanes', seq FROM sqlite_sequence WHERE name = 'deliveries';
DROP TABLE deliveries;
ALTER TABLE deliveries_in_lanes RENAME TO deliveries;

-- A conversation's history.
CREATE INDEX deliveries_by_lane ON deliveries (lane_id, id);
-- What is ready in a lane, or keeps its class from being.
CREATE INDEX deliveries_ready ON deliveries (lane_id, class, coalesce(place, id), id)
    WHERE state = 'available' OR state = 'retryable';
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
-- What an operator looks for.
CREATE INDEX deliveries_by_state ON deliveries (state, id) WHERE state <> 'delivered' AND state <> 'sending';
-- Few rows: what is being sent, and what an operator has stopped.
CREATE INDEX deliveries_sending ON deliveries (id) WHERE state = 'sending';
CREATE INDEX lanes_paused ON lanes (id) WHERE paused;
