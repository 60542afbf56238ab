-- Who may call: tiers, tenants, keys. Times are epoch milliseconds, lists and objects are JSON text, money is
-- US dollars. NULL in a limit is "unlimited".

CREATE TABLE tiers (
  name TEXT NOT NULL PRIMARY KEY,
  requests_per_minute INTEGER,
  requests_per_hour INTEGER,
  max_concurrent INTEGER,
  input_tokens_per_minute INTEGER,
  output_tokens_per_minute INTEGER,
  budget_usd_per_day REAL,
  budget_usd_per_month REAL,
  lane TEXT NOT NULL CHECK (lane IN ('high', 'normal', 'low')),
  on_overload TEXT NOT NULL CHECK (on_overload IN ('reject', 'wait', 'queue', 'downgrade')),
  downgrade_to TEXT,
  max_wait_ms INTEGER
) STRICT;

CREATE TABLE tenants (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  tier TEXT NOT NULL REFERENCES tiers (name),
  -- auto_prompt_cache, cache_ttl_seconds, limits_fail, origins, webhook_endpoint: what is not there has its default.
  settings TEXT NOT NULL DEFAULT '{}' CHECK (json_type(settings) = 'object'),
  -- Fields of a tier that differ for this tenant.
  overrides TEXT NOT NULL DEFAULT '{}' CHECK (json_type(overrides) = 'object'),
  disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE keys (
  -- The id within `slk_<id>_<secret>_<check>`.
  id TEXT NOT NULL PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  -- HMAC-SHA-256 of the whole key under KEY_PEPPER, in lower-case hex. The key itself is nowhere.
  secret_hash TEXT NOT NULL CHECK (length(secret_hash) = 64),
  created_at INTEGER NOT NULL,
  last_used_at INTEGER,
  expires_at INTEGER,
  -- NULL: what the tenant may use; for origins, the tenant's list.
  models TEXT CHECK (models IS NULL OR json_type(models) = 'array'),
  origins TEXT CHECK (origins IS NULL OR json_type(origins) = 'array'),
  ips TEXT CHECK (ips IS NULL OR json_type(ips) = 'array'),
  disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1))
) STRICT;

CREATE INDEX keys_by_tenant ON keys (tenant, created_at);

-- A CORS preflight carries no key: it looks through those that name origins, and through no others.
CREATE INDEX tenants_with_origins ON tenants (id) WHERE json_type(settings, '$.origins') = 'array';
CREATE INDEX keys_with_origins ON keys (id) WHERE origins IS NOT NULL;

INSERT INTO tiers (
  name, requests_per_minute, requests_per_hour, max_concurrent, input_tokens_per_minute,
  output_tokens_per_minute, budget_usd_per_day, budget_usd_per_month, lane, on_overload, downgrade_to, max_wait_ms
) VALUES
  ('free', 10, 1000, 2, 50000, 10000, 1, NULL, 'low', 'reject', NULL, NULL),
  ('premium', 100, 10000, 20, 1000000, 200000, 100, NULL, 'normal', 'wait', NULL, NULL),
  ('enterprise', NULL, 100000, 200, NULL, NULL, NULL, NULL, 'high', 'wait', NULL, NULL);
