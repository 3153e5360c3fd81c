-- As whom the bot comes back: the identity of whoever brought the activity that the reference was taken from, as JSON.
-- NULL where nobody was asked, as in local mode.
ALTER TABLE jobs ADD COLUMN identity TEXT;
ALTER TABLE deliveries ADD COLUMN identity TEXT;
