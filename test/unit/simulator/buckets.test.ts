// The bucket arithmetic, held against header sets that were recorded from the real API.
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fullBucket,
  rateHeaders,
  refill,
  viewBucket,
  waitMs,
} from '../../../tools/simulator/buckets.ts'

const RECORDED = '../shared/data/claude-api-captures/ratelimit_headers.jsonl'
const recorded = existsSync(RECORDED)

type Headers = Record<string, string>

function recordedSets(): Headers[] {
  const lines = readFileSync(RECORDED, 'utf8').trim().split('\n')
  const sets = lines.map((line) => (JSON.parse(line) as { headers: Headers }).headers)
  // The sets of 2024 have no input and output buckets of their own.
  return sets.filter((set) => 'anthropic-ratelimit-input-tokens-limit' in set)
}

/** Our bucket in the state that a recorded triple shows. */
function bucketFrom(set: Headers, name: string, usedTokens: number) {
  const field = (part: string) => set[`anthropic-ratelimit-${name}-${part}`] ?? ''
  const bucket = fullBucket(Number(field('limit')), Date.parse(field('reset')) + 400)
  bucket.level -= usedTokens
  return bucket
}

describe.skipIf(!recorded)('recorded rate-limit headers (skipped without ../shared/data)', () => {
  it('are printed exactly the same by our arithmetic', () => {
    const sets = recordedSets()
    expect(sets.length).toBeGreaterThanOrEqual(5)
    for (const set of sets) {
      const ours = rateHeaders({
        requests: viewBucket(bucketFrom(set, 'requests', 1)),
        input: viewBucket(bucketFrom(set, 'input-tokens', 17)),
        output: viewBucket(bucketFrom(set, 'output-tokens', 0)),
      })
      const theirs = Object.entries(set).filter(([name]) => name.includes('ratelimit'))
      expect(Object.fromEntries(ours)).toEqual(Object.fromEntries(theirs))
    }
  })
})

describe('a bucket', () => {
  it('is full again a minute after it was emptied, and not before', () => {
    const bucket = fullBucket(50, 0)
    bucket.level = 0
    refill(bucket, 59_000)
    expect(viewBucket(bucket)).toEqual({ limit: 50, remaining: 49, resetAtMs: 60_000 })
    refill(bucket, 60_000)
    expect(bucket.level).toBe(50)
  })

  it('rounds tokens to the thousand and leaves requests exact', () => {
    const view = { limit: 50_000, remaining: 49_499, resetAtMs: 1_999 }
    const shown = Object.fromEntries(rateHeaders({ requests: view, input: view, output: view }))
    expect(shown['anthropic-ratelimit-requests-remaining']).toBe('49499')
    expect(shown['anthropic-ratelimit-input-tokens-remaining']).toBe('49000')
    expect(shown['anthropic-ratelimit-tokens-remaining']).toBe('99000')
    expect(shown['anthropic-ratelimit-tokens-reset']).toBe('1970-01-01T00:00:01Z')
  })

  it('never holds more than its limit and never gives more than its rate', () => {
    const steps = fc.array(fc.record({ after: fc.nat(5_000), take: fc.nat(30) }), {
      maxLength: 200,
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), steps, (limit, list) => {
        const bucket = fullBucket(limit, 0)
        let now = 0
        let taken = 0
        for (const { after, take } of list) {
          now += after
          refill(bucket, now)
          expect(bucket.level).toBeLessThanOrEqual(limit)
          if (bucket.level >= take) {
            bucket.level -= take
            taken += take
          }
        }
        expect(taken).toBeLessThanOrEqual(limit + (now * limit) / 60_000 + 1e-6)
      }),
    )
  })

  it('says how long to wait so that the amount is there then', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.nat(1_000),
        fc.nat(1_000),
        (limit, a, b) => {
          const bucket = fullBucket(limit, 0)
          bucket.level = Math.min(limit, a)
          const amount = Math.min(limit, b)
          refill(bucket, waitMs(bucket, amount))
          expect(bucket.level).toBeGreaterThanOrEqual(amount - 1e-6)
        },
      ),
    )
  })
})
