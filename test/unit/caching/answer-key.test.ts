// Which requests are the same to the response cache: spelling does not matter, meaning does.
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { answerKeyText, type KeyParts } from '../../../src/core/caching/answer-key.ts'
import { canonicalJson } from '../../../src/core/caching/canonical-json.ts'

const escaped = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`

/** The same value, written in another way: keys in another order, spaces, escapes. */
function respell(value: unknown, random: () => number): string {
  const space = (): string => ' \n\t\r'.slice(0, Math.floor(random() * 4))
  if (typeof value === 'string') {
    const written = JSON.stringify(value).slice(1, -1)
    return random() < 0.5
      ? `"${written}"`
      : `"${Array.from({ length: value.length }, (_, at) => escaped(value.charCodeAt(at))).join('')}"`
  }
  if (Array.isArray(value)) {
    return `[${space()}${value.map((entry) => respell(entry, random)).join(`${space()},${space()}`)}${space()}]`
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).toSorted(() => random() - 0.5)
    const fields = entries.map(
      ([name, field]) =>
        `${space()}${respell(name, random)}${space()}:${space()}${respell(field, random)}`,
    )
    return `{${fields.join(',')}${space()}}`
  }
  return JSON.stringify(value)
}

const json = fc
  .jsonValue({ stringUnit: 'binary', maxDepth: 4 })
  .filter((value) => !JSON.stringify(value).includes('\\ud') && !hasProto(value))

/** An object cannot hold it as a field of its own by assignment: the respelling would lose it. */
const hasProto = (value: unknown): boolean => JSON.stringify(value).includes('__proto__')

describe('the canonical spelling', () => {
  test('is the same however the same value is written', () => {
    fc.assert(
      fc.property(
        json,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (value, dice) => {
          const random = (): number => Number(dice.next().value)
          expect(canonicalJson(respell(value, random))).toBe(canonicalJson(JSON.stringify(value)))
        },
      ),
      { numRuns: 500 },
    )
  })

  test('differs where the value does, and says the same value', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const [one, other] = [a, b].map((value) => canonicalJson(JSON.stringify(value)))
        expect(JSON.parse(one!)).toEqual(JSON.parse(JSON.stringify(a)))
        const same = JSON.stringify(JSON.parse(one!)) === JSON.stringify(JSON.parse(other!))
        expect(one === other).toBe(same)
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['{"a":1,"a":2}', '{"a":2,"a":1}'],
    ['{"a":1,"a":1}', '{"a":1}'],
    ['[12345678901234567890]', '[12345678901234567891]'],
    ['[1]', '[1.0]'],
    ['["1"]', '[1]'],
    ['[[],[]]', '[[[]]]'],
    ['{"a":{"b":1}}', '{"a":{},"b":1}'],
    ['["a,b"]', '["a","b"]'],
    ['["\\\\"]', '["\\""]'],
  ])('keeps %s and %s apart', (a, b) => {
    expect(canonicalJson(a)).not.toBe(canonicalJson(b))
  })

  it('reads a deep and a long text in one pass', () => {
    const deep = `${'['.repeat(1000)}"${'x'.repeat(1_000_000)}"${']'.repeat(1000)}`
    const startedAt = performance.now()
    expect(canonicalJson(deep)).toBe(deep)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })
})

const body = {
  model: 'claude-sonnet-5-5',
  max_tokens: 64,
  messages: [{ role: 'user', content: 'Hi' }],
}
const parts: KeyParts = {
  tenant: 'acme',
  scope: 'tenant',
  user: '',
  version: '2023-06-01',
  betas: null,
  body: JSON.stringify(body),
}
const keyWith = (change: Partial<KeyParts>): string => answerKeyText({ ...parts, ...change })
const keyOf = (fields: object): string => keyWith({ body: JSON.stringify({ ...body, ...fields }) })

describe('the key', () => {
  it.each([
    ['model', { model: 'claude-haiku-5-5' }],
    ['max_tokens', { max_tokens: 65 }],
    ['messages', { messages: [{ role: 'user', content: 'Ho' }] }],
    ['a role', { messages: [{ role: 'assistant', content: 'Hi' }] }],
    [
      'content as blocks',
      { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] },
    ],
    ['system', { system: 'Be brief' }],
    ['temperature', { temperature: 0.5 }],
    ['top_p', { top_p: 0.5 }],
    ['top_k', { top_k: 5 }],
    ['stop_sequences', { stop_sequences: ['x'] }],
    ['tools', { tools: [{ name: 'a', input_schema: { type: 'object' } }] }],
    ['tool_choice', { tool_choice: { type: 'auto' } }],
    ['thinking', { thinking: { type: 'enabled', budget_tokens: 1024 } }],
    ['metadata', { metadata: { user_id: 'u' } }],
    ['service_tier', { service_tier: 'auto' }],
    ['cache_control', { cache_control: { type: 'ephemeral' } }],
    ['a field of tomorrow', { something_new: null }],
  ])('changes with %s', (_, fields) => {
    expect(keyOf(fields)).not.toBe(keyOf({}))
  })

  it.each([{ stream: true }, { stream: false }, { stream: null }])(
    'is the same with %j',
    (fields) => {
      expect(keyOf(fields)).toBe(keyOf({}))
    },
  )

  it('takes the form of the answer out of the outermost object alone', () => {
    const nested = (stream: boolean) => keyOf({ metadata: { stream } })
    expect(nested(true)).not.toBe(nested(false))
    expect(keyWith({ body: JSON.stringify(body).replace('{', '{"str\\u0065am":true,') })).toBe(
      keyOf({}),
    )
  })

  it.each<[string, Partial<KeyParts>]>([
    ['the tenant', { tenant: 'other' }],
    ['the scope', { scope: 'user' }],
    ['the version', { version: '2026-10-21' }],
    ['no version', { version: null }],
    ['a beta', { betas: 'context-1m' }],
  ])('changes with %s', (_, change) => {
    expect(keyWith(change)).not.toBe(keyWith({}))
  })

  it('counts the user in the scope of users only', () => {
    expect(keyWith({ user: 'ann' })).toBe(keyWith({ user: 'bob' }))
    const [ann, bob] = ['ann', 'bob'].map((user) => keyWith({ scope: 'user', user }))
    expect(ann).not.toBe(bob)
  })

  it('reads betas as a set', () => {
    expect(keyWith({ betas: 'a, b,a' })).toBe(keyWith({ betas: 'b,a' }))
    expect(keyWith({ betas: 'a' })).not.toBe(keyWith({ betas: 'ab' }))
  })

  test('no two lists of parts read alike, whatever stands in them', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '"', ',', '[', ']', '\\', '\n', ':') })
    const some = fc.record({
      tenant: name,
      scope: fc.constant('user' as const),
      user: name,
      version: fc.option(name),
    })
    fc.assert(
      fc.property(some, some, (a, b) => {
        const same = a.tenant === b.tenant && a.user === b.user && a.version === b.version
        expect(keyWith(a) === keyWith(b)).toBe(same)
      }),
    )
  })
})
