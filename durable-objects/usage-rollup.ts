// Hands one flush of an outbox to D1: its rows and the mark that they are in, in one transaction. Where the
// mark stands already, nothing changes: the flush was delivered before and its answer was lost.
import type { Flush } from './usage-outbox.ts'

const ADD_ROWS = `
  INSERT INTO usage (tenant, day, model, key, user, requests, input_tokens, output_tokens,
    cache_write_tokens, cache_read_tokens, cost_nano_usd, saved_nano_usd)
  SELECT value->>'tenant', value->>'day', value->>'model', value->>'key', value->>'user',
    value->>'requests', value->>'inputTokens', value->>'outputTokens',
    value->>'cacheWriteTokens', value->>'cacheReadTokens', value->>'costNanoUsd', value->>'savedNanoUsd'
  FROM json_each(?1)
  WHERE NOT EXISTS (SELECT 1 FROM usage_flushes WHERE id = ?2)
  ON CONFLICT (tenant, day, model, key, user) DO UPDATE SET
    requests = requests + excluded.requests,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd,
    saved_nano_usd = saved_nano_usd + excluded.saved_nano_usd`

// Far longer than any object may sit on a flush that it has handed over without hearing so.
const MARK_KEPT_MS = 30 * 24 * 3_600_000

export async function rollUp(db: D1Database, flush: Flush, now: number): Promise<void> {
  await db.batch([
    db.prepare(ADD_ROWS).bind(JSON.stringify(flush.rows), flush.id),
    db.prepare('INSERT OR IGNORE INTO usage_flushes (id, at) VALUES (?, ?)').bind(flush.id, now),
    db.prepare('DELETE FROM usage_flushes WHERE at < ?').bind(now - MARK_KEPT_MS),
  ])
}
