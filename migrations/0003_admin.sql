-- The admin plane: what was changed by whom, answers that can be given again, and what keys need to be rotated.

-- Who did what. `before` and `after` are JSON as the API shows it; no secret is in either.
CREATE TABLE admin_events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  tenant TEXT,
  request_id TEXT NOT NULL,
  before TEXT,
  after TEXT
) STRICT;

CREATE INDEX admin_events_by_target ON admin_events (target, seq);
CREATE INDEX admin_events_by_tenant ON admin_events (tenant, seq) WHERE tenant IS NOT NULL;
CREATE INDEX admin_events_by_time ON admin_events (at);

-- Answers to requests with an `idempotency-key`, each written in the transaction of its change. Kept for a day.
CREATE TABLE admin_answers (
  -- A keyed hash of the caller's key.
  name TEXT NOT NULL PRIMARY KEY,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  -- AES-GCM under a key derived from KEY_PEPPER: an answer may hold a secret that is shown once.
  sealed TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX admin_answers_by_time ON admin_answers (at);

-- A rotated key's former secret, which works until then.
ALTER TABLE keys ADD COLUMN previous_hash TEXT;
ALTER TABLE keys ADD COLUMN previous_expires_at INTEGER;
ALTER TABLE keys ADD COLUMN rotations INTEGER NOT NULL DEFAULT 0;
-- A key that was deleted: disabled for ever and shown nowhere, but its holder is told that it was revoked.
ALTER TABLE keys ADD COLUMN revoked_at INTEGER;

CREATE INDEX tenants_by_age ON tenants (created_at, id);

-- A key was last used when usage of it was last written: no request writes anything for that, and a key's row is
-- written at most once a minute.
CREATE TRIGGER key_used_first AFTER INSERT ON usage BEGIN
  UPDATE keys SET last_used_at = unixepoch() * 1000
  WHERE id = NEW.key AND coalesce(last_used_at, 0) < (unixepoch() - 60) * 1000;
END;

CREATE TRIGGER key_used_again AFTER UPDATE ON usage BEGIN
  UPDATE keys SET last_used_at = unixepoch() * 1000
  WHERE id = NEW.key AND coalesce(last_used_at, 0) < (unixepoch() - 60) * 1000;
END;

-- Who allows which browser origin, so that a preflight, which names neither tenant nor key, is one look-up however many
-- there are. Kept by triggers: it cannot differ from what the tenants and keys say. Only those that are not disabled.
CREATE TABLE allowed_origins (
  owner TEXT NOT NULL,
  origin TEXT NOT NULL,
  PRIMARY KEY (owner, origin)
) STRICT, WITHOUT ROWID;

CREATE INDEX allowed_origins_by_origin ON allowed_origins (origin);

DROP INDEX tenants_with_origins;
DROP INDEX keys_with_origins;

CREATE TRIGGER tenant_origins_begin AFTER INSERT ON tenants WHEN NEW.disabled = 0 BEGIN
  INSERT OR IGNORE INTO allowed_origins
  SELECT 'tenant ' || NEW.id, value FROM json_each(NEW.settings, '$.origins') WHERE type = 'text';
END;

CREATE TRIGGER tenant_origins_change AFTER UPDATE OF settings, disabled, id ON tenants BEGIN
  DELETE FROM allowed_origins WHERE owner = 'tenant ' || OLD.id;
  INSERT OR IGNORE INTO allowed_origins
  SELECT 'tenant ' || NEW.id, value FROM json_each(NEW.settings, '$.origins') WHERE type = 'text' AND NEW.disabled = 0;
END;

CREATE TRIGGER tenant_origins_end AFTER DELETE ON tenants BEGIN
  DELETE FROM allowed_origins WHERE owner = 'tenant ' || OLD.id;
END;

CREATE TRIGGER key_origins_begin AFTER INSERT ON keys WHEN NEW.disabled = 0 BEGIN
  INSERT OR IGNORE INTO allowed_origins
  SELECT 'key ' || NEW.id, value FROM json_each(NEW.origins) WHERE type = 'text';
END;

CREATE TRIGGER key_origins_change AFTER UPDATE OF origins, disabled, id ON keys BEGIN
  DELETE FROM allowed_origins WHERE owner = 'key ' || OLD.id;
  INSERT OR IGNORE INTO allowed_origins
  SELECT 'key ' || NEW.id, value FROM json_each(NEW.origins) WHERE type = 'text' AND NEW.disabled = 0;
END;

CREATE TRIGGER key_origins_end AFTER DELETE ON keys BEGIN
  DELETE FROM allowed_origins WHERE owner = 'key ' || OLD.id;
END;

INSERT INTO allowed_origins
SELECT DISTINCT 'tenant ' || tenants.id, entry.value FROM tenants, json_each(tenants.settings, '$.origins') AS entry
WHERE disabled = 0 AND entry.type = 'text'
UNION
SELECT DISTINCT 'key ' || keys.id, entry.value FROM keys, json_each(keys.origins) AS entry
WHERE disabled = 0 AND entry.type = 'text';
