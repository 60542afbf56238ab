-- Accounts that joined while the gateway ran, and what an operator changed of any account, those of the settings
-- included. Times are epoch milliseconds.
CREATE TABLE accounts (
  id TEXT NOT NULL PRIMARY KEY,
  -- NULL: ANTHROPIC_BASE_URL.
  base_url TEXT,
  -- The credential under AES-GCM, in hex (src/flows/seal-credential.ts). NULL: the account is one of the settings, and
  -- this row only changes it.
  sealed_key TEXT,
  -- Since when this credential is the account's.
  sealed_at INTEGER,
  location_hint TEXT,
  -- weight, max_concurrent, min_concurrent, backup, models: what is not there is as in the settings, or the default.
  fields TEXT NOT NULL DEFAULT '{}' CHECK (json_type(fields) = 'object'),
  -- Since when it takes nothing new; NULL: it takes calls.
  draining_since INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
