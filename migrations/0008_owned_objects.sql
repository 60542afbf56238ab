-- Batches and files that Claude keeps: whose they are, and at which account. Times are epoch milliseconds.
CREATE TABLE owned_objects (
  -- The order in which they were made here: Claude's lists are by age.
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('batch', 'file')),
  tenant TEXT NOT NULL,
  account TEXT NOT NULL,
  -- Who made it, for the bill.
  key TEXT NOT NULL,
  user TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- NULL: it does not expire.
  expires_at INTEGER,
  -- Claude's own object as it was last seen, JSON. No prompt and no content is in it.
  shown TEXT NOT NULL CHECK (json_type(shown) = 'object'),
  -- 1: it changes no more.
  final INTEGER NOT NULL CHECK (final IN (0, 1)),
  -- When a batch's results were put on its tenant's bill; NULL: not yet.
  billed_at INTEGER
) STRICT;

CREATE INDEX owned_objects_by_tenant ON owned_objects (tenant, kind, seq);
CREATE INDEX owned_objects_unbilled ON owned_objects (created_at) WHERE kind = 'batch' AND billed_at IS NULL;
