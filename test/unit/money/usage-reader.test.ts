import { expect, test } from 'vitest'
import { d1UsageReader } from '../../../src/adapters/cloudflare/usage-reader.ts'

const SPAN = { tenant: 'a', from: '2026-11-01', to: '2026-11-30', groupBy: ['day'] } as const
const down = () => Promise.reject(new Error('D1_ERROR: no answer'))
const d1 = (batch: () => Promise<unknown>) =>
  ({ prepare: () => ({ bind: () => ({}) }), batch }) as unknown as D1Database

test.each([
  ['D1', d1(down), async () => [], 'store_unavailable'],
  ['the ledger', d1(async () => []), down, 'ledger_unavailable'],
] as const)('usage while %s is down is no empty report', async (_, db, pendingUsage, reason) => {
  const reader = d1UsageReader(db, () => ({ pendingUsage }))
  await expect(reader.findUsage(SPAN)).rejects.toMatchObject({ reason })
})
