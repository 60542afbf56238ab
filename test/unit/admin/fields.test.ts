// What an operator may write: anything at all is either read or refused by name, and what was read is shown as it was.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Reader, readFields } from '../../../src/core/admin/fields.ts'
import { keyBody, rotationBody } from '../../../src/core/admin/key-body.ts'
import { newTenantBody, tenantChangeBody } from '../../../src/core/admin/tenant-body.ts'
import { showTier, TIER_FIELDS, tierBody } from '../../../src/core/admin/tier-body.ts'
import { readTime, showTime } from '../../../src/core/admin/times.ts'
import { parsePage, renderList } from '../../../src/flows/admin/pages.ts'

const bodies: Readonly<Record<string, Reader<unknown>>> = {
  tenant: newTenantBody,
  'tenant change': tenantChangeBody,
  key: keyBody,
  rotation: rotationBody,
  tier: tierBody('x'),
}
const OTHER_NAMES =
  'name tier settings overrides disabled origins models ips expires_at grace_seconds id __proto__ constructor toString'
const NAMES = [...Object.keys(TIER_FIELDS), ...OTHER_NAMES.split(' '), '', 'a"b: c', 'x'.repeat(99)]

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    'free',
    'wait',
    'downgrade',
    '10.0.0.0/8',
    'https://a.test',
    '2027-01-01T00:00:00Z',
  ),
)
const body = fc.oneof(
  value,
  fc.dictionary(
    fc.constantFrom(...NAMES),
    fc.oneof(value, fc.dictionary(fc.constantFrom(...NAMES), value)),
  ),
)

describe('any body', () => {
  it.each(Object.entries(bodies))(
    'of a %s is read, or refused with what was wrong',
    (_, reader) => {
      fc.assert(
        fc.property(body, (input) => {
          // As it comes over the wire: `__proto__` is then a field like any other.
          const sent: unknown = JSON.parse(JSON.stringify(input))
          const read = readFields(reader, sent)
          if (read.kind === 'read') return
          expect(read.problems.length).toBeGreaterThan(0)
          for (const problem of read.problems)
            expect(problem).toMatch(/^([\w.[\]]+|The body|[\w.[\]]*"(\\.|[^"\\])*"): \S/)
        }),
        { numRuns: 500 },
      )
    },
  )
})

describe('a tier', () => {
  const limit = fc.option(fc.integer({ min: 1, max: 1_000_000_000 }))
  const usd = fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }))
  const tier = fc.record({
    name: fc.constant('x'),
    requests_per_minute: limit,
    requests_per_hour: limit,
    max_concurrent: limit,
    input_tokens_per_minute: limit,
    output_tokens_per_minute: limit,
    budget_usd_per_day: usd,
    budget_usd_per_month: usd,
    lane: fc.constantFrom('high', 'normal', 'low'),
    on_overload: fc.constantFrom('reject', 'wait', 'queue', 'downgrade'),
    downgrade_to: fc.constantFrom('claude-haiku-5-5', 'claude-sonnet-5-5'),
    max_wait_ms: fc.option(fc.integer({ min: 0, max: 900_000 })),
  })

  it('is shown as it was written, to the last digit', () => {
    fc.assert(
      fc.property(tier, (written) => {
        const sent: unknown = JSON.parse(JSON.stringify(written))
        const read = readFields(tierBody('x'), sent)
        expect(read.kind).toBe('read')
        if (read.kind === 'read') expect(showTier(read.value)).toEqual(sent)
      }),
    )
  })
})

describe('a time', () => {
  it('is read back from how it is shown', () => {
    const date = fc.date({
      min: new Date('1970-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(date, (at) => {
        expect(readTime(showTime(at.getTime()))).toBe(at.getTime())
      }),
    )
  })

  it.each([
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00+2',
    '26-01-01T00:00:00Z',
  ])('%s is none', (text) => {
    expect(readTime(text)).toBeNull()
  })
})

describe('a page', () => {
  it('goes on exactly where the one before said, whatever the names in it', () => {
    const anyText = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(fc.integer(), anyText, (at, id) => {
        const { next_page: page } = renderList({ data: [], next: [at, id] }, (entry) => entry)
        const read = parsePage({ page: page ?? '' }, ['number', 'string'])
        expect(read.after).toEqual([at, id])
        expect(page).toMatch(/^[\w-]+$/)
      }),
    )
  })
})
