// Asks and bills for the tests of the ledger: whole numbers that are easy to follow.
import type { LedgerAsk, LedgerLimits } from '../../src/core/money/ledger/words.ts'
import type { UsageRecord } from '../../src/core/money/usage-record.ts'

export const NOON = Date.UTC(2026, 10, 21, 12)
export const MINUTE_MS = 60_000

export const unlimited: LedgerLimits = {
  maxConcurrent: null,
  inputTokensPerMinute: null,
  outputTokensPerMinute: null,
  dayNanoUsd: null,
  monthNanoUsd: null,
}

export const limits = (change: Partial<LedgerLimits>): LedgerLimits => ({ ...unlimited, ...change })

/** 100 tokens of input and 1,000 of output at most, for 1 and 10 nano-dollars each. */
export const ledgerAsk = (id: string, change: Partial<LedgerAsk> = {}): LedgerAsk => ({
  id,
  tenant: 'tenant',
  key: 'key',
  user: '',
  model: 'claude-sonnet-5-5',
  at: NOON,
  stream: false,
  inputTokens: 100,
  maxOutputTokens: 1_000,
  price: { input: 1, inputMost: 2, output: 10 },
  ttlMs: MINUTE_MS,
  maxWaitMs: 0,
  limits: unlimited,
  token: null,
  ...change,
})

/** What a call of `ledgerAsk` is billed for so much output. */
export function billOf(ask: LedgerAsk, outputTokens: number, inputTokens = 100): UsageRecord {
  const { id, tenant, key, user, model, at, price } = ask
  return {
    requestId: id,
    tenant,
    key,
    user,
    model,
    at,
    inputTokens,
    outputTokens,
    cacheWriteTokens: 0,
    cacheReadTokens: 0,
    costNanoUsd: inputTokens * price.input + outputTokens * price.output,
    savedNanoUsd: 0,
    estimated: false,
  }
}
