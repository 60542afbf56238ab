-- Origins that some browser token allows, and until when (epoch milliseconds). A CORS preflight carries no token, so it
-- is answered from here. Written when a token is made, at most once an hour for an origin; what is over is deleted.
CREATE TABLE token_origins (
  origin TEXT NOT NULL PRIMARY KEY,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX token_origins_by_end ON token_origins (expires_at);

-- When a key's hash was made anew under the current pepper, because it was used while the previous one was still
-- accepted. Older than the change of the pepper and not made anew: such a key dies with the previous pepper.
ALTER TABLE keys ADD COLUMN rehashed_at INTEGER;
