// Keeping prefixes is left off for a tenant whom it costs more than it saves, by model, and tried again.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  notePrefix,
  type PrefixWorths,
  prefixOffUntil,
} from '../../../src/core/money/ledger/prefix-worth.ts'
import { reserve, settle } from '../../../src/core/money/ledger/ledger.ts'
import { restoreLedger, toRecord } from '../../../src/core/money/ledger/ledger-record.ts'
import { newLedger } from '../../../src/core/money/ledger/ledger-state.ts'
import { reportOf } from '../../../src/core/money/ledger/left.ts'
import { billOf, ledgerAsk, NOON, unlimited } from '../../support/ledger.ts'

const MODEL = 'claude-sonnet-5-5'
const MINUTE_MS = 60_000
const bill = billOf(ledgerAsk('a'), 1)
const write = (model = MODEL) => ({ ...bill, model, cacheWriteTokens: 100, savedNanoUsd: -25 })
const read = (saved = 90) => ({ ...bill, cacheReadTokens: 100, savedNanoUsd: saved })

const note = (worths: PrefixWorths, calls: readonly (typeof bill)[], now = NOON): void => {
  for (const call of calls) notePrefix(worths, call, now)
}
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const isOn = (worths: PrefixWorths, now: number): boolean =>
  prefixOffUntil(worths, MODEL, now) === null

describe('keeping prefixes', () => {
  it('is left off after fifty writes that nobody read back, and for that model only', () => {
    const worths: PrefixWorths = new Map()
    note(worths, times(49, write()))
    expect(isOn(worths, NOON)).toBe(true)
    note(worths, times(1, write()))
    expect(prefixOffUntil(worths, MODEL, NOON)).toBe(NOON + 5 * MINUTE_MS)
    expect(prefixOffUntil(worths, 'claude-opus-5-5', NOON)).toBeNull()
  })

  it('stays on where every third write is read back, and is left off where only every fourth is', () => {
    const worths: PrefixWorths = new Map()
    for (let round = 0; round < 50; round += 1) note(worths, [read(), ...times(3, write())])
    expect(isOn(worths, NOON)).toBe(true)
    for (let round = 0; round < 50; round += 1) note(worths, [read(), ...times(4, write())])
    expect(isOn(worths, NOON)).toBe(false)
  })

  it('is tried again, for longer after each failure, and as at first once it paid', () => {
    const worths: PrefixWorths = new Map()
    let now = NOON
    for (const minutes of [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]) {
      expect(isOn(worths, now)).toBe(true)
      note(worths, times(50, write()), now)
      const until = prefixOffUntil(worths, MODEL, now)
      expect(until).toBe(now + minutes * MINUTE_MS)
      now = until ?? now
    }
    note(worths, [...times(30, read()), ...times(50, write())], now)
    expect(isOn(worths, now)).toBe(true)
    note(worths, times(50, write()), now)
    expect(prefixOffUntil(worths, MODEL, now)).toBe(now + 5 * MINUTE_MS)
  })

  it('is not judged by calls that were on their way when it was left off', () => {
    const worths: PrefixWorths = new Map()
    note(worths, times(100, write()))
    expect(prefixOffUntil(worths, MODEL, NOON)).toBe(NOON + 5 * MINUTE_MS)
    note(worths, times(49, write()), NOON + 5 * MINUTE_MS)
    expect(isOn(worths, NOON + 5 * MINUTE_MS)).toBe(true)
  })

  it('remembers no more models than it has to', () => {
    const worths: PrefixWorths = new Map()
    for (let at = 0; at < 1_000; at += 1) note(worths, [write(`made up ${at}`)])
    expect(worths.size).toBe(32)
  })

  it('loses the extra of at most a hundred writes before it is left off', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -25, max: 90 }), { maxLength: 400 }), (saved) => {
        const worths: PrefixWorths = new Map()
        let lost = 0
        for (const each of saved) {
          if (!isOn(worths, NOON)) break
          lost = each < 0 ? lost - each : Math.max(0, lost - each)
          note(worths, [{ ...(each < 0 ? write() : read()), savedNanoUsd: each }])
          if (isOn(worths, NOON)) expect(lost).toBeLessThanOrEqual(2 * 50 * 25)
        }
      }),
    )
  })
})

describe('the ledger', () => {
  const call = (ledger: ReturnType<typeof newLedger>, id: string, askedToKeep: boolean) => {
    const ask = ledgerAsk(id)
    const answer = reserve(ledger, ask, NOON)
    const usage = { ...billOf(ask, 1), cacheWriteTokens: 100, savedNanoUsd: -25 }
    settle(ledger, { id, usage, askedToKeep }, NOON)
    return answer
  }

  it('tells each call that it is off, keeps that, and counts only what we asked for', () => {
    const ledger = newLedger()
    for (let at = 0; at < 100; at += 1) call(ledger, `own ${at}`, false)
    expect(call(ledger, 'before', true)).not.toHaveProperty('prefixOffUntil')
    for (let at = 0; at < 49; at += 1) call(ledger, `ours ${at}`, true)
    const until = NOON + 5 * MINUTE_MS
    expect(call(ledger, 'after', true)).toMatchObject({ prefixOffUntil: until })
    const stored = JSON.parse(JSON.stringify(toRecord(ledger))) as ReturnType<typeof toRecord>
    const again = restoreLedger({ record: stored, leases: [], tokens: [] })
    expect(call(again, 'restored', true)).toMatchObject({ prefixOffUntil: until })
    expect(reportOf(again, unlimited, NOON).prefixes).toEqual([{ model: MODEL, offUntil: until }])
    const { prefixes: _, ...older } = stored
    expect(restoreLedger({ record: older, leases: [], tokens: [] }).prefixes.size).toBe(0)
  })
})
