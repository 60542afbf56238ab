-- What was used, by who spent it, on what, on which day (UTC). Money is whole nano-dollars.
CREATE TABLE usage (
  tenant TEXT NOT NULL,
  day TEXT NOT NULL,
  model TEXT NOT NULL,
  key TEXT NOT NULL,
  user TEXT NOT NULL,
  requests INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cost_nano_usd INTEGER NOT NULL,
  saved_nano_usd INTEGER NOT NULL,
  PRIMARY KEY (tenant, day, model, key, user)
) WITHOUT ROWID;

CREATE INDEX usage_by_day ON usage (day);

-- Which flushes of which outbox are already in `usage`: written in the same transaction as their rows, so that a
-- flush that is delivered twice changes nothing. Kept for a month.
CREATE TABLE usage_flushes (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) WITHOUT ROWID;
