// Whose ends may wait a moment for others: only calls of a tenant that has far more left than they give back.
import { describe, expect, test } from 'vitest'
import { newLedger } from '../../../src/core/money/ledger/ledger-state.ts'
import { reserve } from '../../../src/core/money/ledger/ledger.ts'
import { hasPlenty } from '../../../src/core/money/ledger/reserve.ts'
import type { LedgerAsk, LedgerLimits } from '../../../src/core/money/ledger/words.ts'
import { ledgerAsk, limits, MINUTE_MS, NOON } from '../../support/ledger.ts'

/** After so many calls that run, this one included. */
function isPlenty(held: LedgerLimits, running = 1, change: Partial<LedgerAsk> = {}): boolean {
  const ledger = newLedger()
  const answers = Array.from({ length: running }, (_, at) => {
    const ask = ledgerAsk(`c${at}`, { limits: held, ...change })
    return { ask, answer: reserve(ledger, ask, NOON) }
  })
  const last = answers.at(-1)
  if (last?.answer.kind !== 'granted') throw new Error(`Not granted: ${JSON.stringify(last)}`)
  return hasPlenty(last.ask, last.answer.left)
}

describe('there is plenty', () => {
  test('without limits', () => expect(isPlenty(limits({}), 500)).toBe(true))

  test('while half of the places are free, and a few at least', () => {
    expect(isPlenty(limits({ maxConcurrent: 20 }), 10)).toBe(true)
    expect(isPlenty(limits({ maxConcurrent: 20 }), 11)).toBe(false)
    expect(isPlenty(limits({ maxConcurrent: 9 }), 1)).toBe(true)
    expect(isPlenty(limits({ maxConcurrent: 8 }), 1)).toBe(false)
    expect(isPlenty(limits({ maxConcurrent: 2 }), 1)).toBe(false)
  })

  test('while half of the tokens of a minute are left', () => {
    // Each is expected to use 100 and 1,000.
    expect(isPlenty(limits({ inputTokensPerMinute: 1_000 }), 4)).toBe(true)
    expect(isPlenty(limits({ inputTokensPerMinute: 1_000 }), 5)).toBe(false)
    expect(isPlenty(limits({ outputTokensPerMinute: 10_000 }), 4)).toBe(true)
    expect(isPlenty(limits({ outputTokensPerMinute: 10_000 }), 5)).toBe(false)
  })

  test('while there is money for far more such calls', () => {
    // The most that one may cost is 10,200.
    for (const name of ['dayNanoUsd', 'monthNanoUsd'] as const) {
      expect(isPlenty(limits({ [name]: 64 * 10_200 }))).toBe(true)
      expect(isPlenty(limits({ [name]: 64 * 10_200 - 1 }))).toBe(false)
    }
  })

  test('never for a browser token, whose own limits are not told', () => {
    const token = {
      id: 't',
      maxRequests: 1_000_000,
      budgetNanoUsd: null,
      expiresAt: NOON + MINUTE_MS,
    }
    expect(isPlenty(limits({}), 1, { token })).toBe(false)
  })
})
