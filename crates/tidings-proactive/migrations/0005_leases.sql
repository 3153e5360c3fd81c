-- How long a node may show no sign of life. `alive_until` is no time any more that others compare with their clocks: it
-- is another value after each renewal, and whoever looks counts by its own clock for how long it has stayed the same.
-- 0: the node has left. The default is for a node of an earlier version.
ALTER TABLE nodes ADD COLUMN lease_ms INTEGER NOT NULL DEFAULT 15000;
