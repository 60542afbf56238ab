-- Webhooks. What is sent lives in an object for each tenant; these are what an operator asks of all of them at once, and
-- what every location has to know.

-- Which secret a tenant's webhooks are signed with: it is derived from KEY_PEPPER, and only its number stands here. No
-- row: the first one.
CREATE TABLE webhook_secrets (
  owner TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  rotated_at INTEGER NOT NULL,
  -- Until then the one before signs too; epoch milliseconds.
  former_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER webhook_secrets_end AFTER DELETE ON tenants BEGIN
  DELETE FROM webhook_secrets WHERE owner = OLD.id;
END;

-- Deliveries as they were a moment ago: each object writes its own here after every change. Without what was sent.
CREATE TABLE webhook_deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  -- Counts the changes: an older writing never replaces a newer one.
  change INTEGER NOT NULL,
  type TEXT NOT NULL,
  url TEXT,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  due_at INTEGER,
  attempt_count INTEGER NOT NULL,
  -- JSON, the latest ones.
  attempts TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_by_owner ON webhook_deliveries (owner, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (state, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (ended_at) WHERE ended_at IS NOT NULL;
