import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_DEPTH, scanObject } from '../../../src/core/answering/json-scan.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const wanted = new Set(['a', 'model', '', '__proto__', 'é'])

/** What the platform's parser says, less the two things that we refuse beyond it. */
function parseStrictly(bytes: Uint8Array): { value: unknown } | null {
  try {
    const text = strict.decode(bytes)
    const value: unknown = JSON.parse(text, (key, item: unknown) => {
      if (!key.isWellFormed()) throw new Error('lone surrogate')
      if (typeof item === 'string' && !item.isWellFormed()) throw new Error('lone surrogate')
      return item
    })
    return { value }
  } catch {
    return null
  }
}

function expectSameAsParser(bytes: Uint8Array): void {
  const scan = scanObject(bytes, wanted)
  const parsed = parseStrictly(bytes)
  expect(scan.kind === 'broken' ? null : 'accepted').toBe(parsed === null ? null : 'accepted')
  if (scan.kind === 'broken' || parsed === null) return
  const isObject =
    typeof parsed.value === 'object' && parsed.value !== null && !Array.isArray(parsed.value)
  expect(scan.kind).toBe(isObject ? 'object' : 'other')
  if (scan.kind !== 'object') return
  for (const name of ['a', 'model', '', '__proto__']) {
    const span = scan.fields.get(name)
    expect(span !== undefined).toBe(Object.hasOwn(parsed.value as object, name))
    if (span === undefined || scan.duplicate === name) continue
    expect(JSON.parse(strict.decode(bytes.subarray(span.start, span.end)))).toEqual(
      (parsed.value as Record<string, unknown>)[name],
    )
  }
}

/** Text with escapes and spaces where JSON allows them. */
const loosely = (value: unknown, seed: number): string => {
  const escaped = (text: string): string =>
    JSON.stringify(text).replace(/[a-z]/g, (char, at: number, all: string) =>
      all[at - 1] === '\\' || (seed + at) % 5 > 0
        ? char
        : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
  const space = [' ', '\n', '\t\r', ''][seed % 4] ?? ''
  const print = (item: unknown): string => {
    if (typeof item === 'string') return JSON.stringify(item)
    if (Array.isArray(item)) return `[${space}${item.map(print).join(`,${space}`)}]${space}`
    if (typeof item !== 'object' || item === null) return String(JSON.stringify(item))
    const fields = Object.entries(item).map(([k, v]) => `${escapeKey(k)}${space}:${print(v)}`)
    return `{${space}${fields.join(`${space},`)}}`
  }
  const escapeKey = (key: string): string =>
    /^[a-z]+$/.test(key) ? escaped(key) : JSON.stringify(key)
  return space + print(value) + space
}

const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 })
const object = fc.dictionary(
  fc.oneof(fc.constantFrom('a', 'model', '', '__proto__', 'é'), fc.string({ unit: 'binary' })),
  json,
  { noNullPrototype: true },
)

describe('scanObject against JSON.parse', () => {
  test('accepts whatever it prints and finds the same values', () => {
    fc.assert(
      fc.property(fc.oneof(json, object), (value) =>
        expectSameAsParser(encode(JSON.stringify(value))),
      ),
      { numRuns: 2000 },
    )
  })

  test('sees through escaped keys and white space', () => {
    fc.assert(
      fc.property(object, fc.nat(), (value, seed) =>
        expectSameAsParser(encode(loosely(value, seed))),
      ),
      { numRuns: 1000 },
    )
  })

  test('agrees on texts with one byte changed, put in or taken out', () => {
    const interesting = fc.constantFrom(
      ...encode('{}[]",:\\u01e-+.tfn \n\0'),
      0xff,
      0xc0,
      0xed,
      0xe0,
    )
    fc.assert(
      fc.property(object, fc.nat(), interesting, fc.nat(2), (value, place, byte, kind) => {
        const bytes = [...encode(JSON.stringify(value))]
        bytes.splice(place % bytes.length, kind === 1 ? 0 : 1, ...(kind === 2 ? [] : [byte]))
        expectSameAsParser(Uint8Array.from(bytes))
      }),
      { numRuns: 5000 },
    )
  })

  test('agrees on any short run of the bytes that JSON is made of', () => {
    const byte = fc.constantFrom(
      ...encode('{}[]",:\\u0019eE-+.dDcC/b\ttruefalsn '),
      0xe2,
      0x82,
      0xac,
    )
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (bytes) =>
        expectSameAsParser(Uint8Array.from(bytes)),
      ),
      { numRuns: 20_000 },
    )
  })

  test('agrees on every two-byte and a spread of four-byte sequences inside a string', () => {
    for (let pair = 0; pair < 0x10000; pair += 1) {
      const bytes = Uint8Array.from([0x22, pair >> 8, pair & 0xff, 0x22])
      const accepted = scanObject(bytes, wanted).kind !== 'broken'
      if (accepted !== (parseStrictly(bytes) !== null)) expectSameAsParser(bytes)
    }
    const tail = fc.constantFrom(0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0x22)
    const lead = fc.integer({ min: 0xe0, max: 0xff })
    fc.assert(
      fc.property(lead, tail, tail, tail, (...bytes) =>
        expectSameAsParser(Uint8Array.from([0x22, ...bytes, 0x22])),
      ),
      { numRuns: 5000 },
    )
  })
})

describe('scanObject', () => {
  test.each([
    ['0', 'other'],
    ['-0.5e+10', 'other'],
    ['"x"', 'other'],
    ['[]', 'other'],
    ['[{"a":1}]', 'other'],
    ['{}', 'object'],
    ['', 'broken'],
    ['01', 'broken'],
    ['1.', 'broken'],
    ['+1', 'broken'],
    ['-', 'broken'],
    ['1e', 'broken'],
    ['NaN', 'broken'],
    ['tru', 'broken'],
    ['truex', 'broken'],
    ['{"a":1,}', 'broken'],
    ['[1,]', 'broken'],
    ["{'a':1}", 'broken'],
    ['{"a":1}}', 'broken'],
    ['{"a":1} x', 'broken'],
    ['{"a" 1}', 'broken'],
    ['{"a":1 "b":2}', 'broken'],
    ['[1}', 'broken'],
    ['{"a":1]', 'broken'],
    ['\ufeff{}', 'broken'],
    ['{"a":"\\ud800"}', 'broken'],
    ['{"a":"\\udc00\\ud800"}', 'broken'],
    ['{"a":"\\ud83d\\ude00"}', 'object'],
    ['{"a":"tab\there"}', 'broken'],
  ])('%j is %s', (text, kind) => {
    expect(scanObject(encode(text), wanted).kind).toBe(kind)
  })

  test('looks at the first level only, and not inside strings', () => {
    const text = String.raw`{"x":{"a":1},"y":"\"a\":2,","z":[{"a":3}]}`
    const scan = scanObject(encode(text), wanted)
    expect(scan).toMatchObject({ kind: 'object', duplicate: null })
    expect(scan.kind === 'object' && scan.fields.size).toBe(0)
  })

  test('tells of a wanted field that comes twice, escaped or not', () => {
    const scan = scanObject(encode(String.raw`{"model":1,"b":2,"b":3,"mod\u0065l":4}`), wanted)
    expect(scan).toMatchObject({ kind: 'object', duplicate: 'model' })
  })

  test('takes nesting to its bound and refuses what is deeper, whatever its depth', () => {
    const nested = (depth: number): Uint8Array => encode('['.repeat(depth) + ']'.repeat(depth))
    expect(scanObject(nested(MAX_DEPTH), wanted).kind).toBe('other')
    expect(scanObject(nested(MAX_DEPTH + 1), wanted)).toMatchObject({
      kind: 'broken',
      at: MAX_DEPTH,
    })
    expect(scanObject(encode('{"a":'.repeat(1_000_000)), wanted).kind).toBe('broken')
  })

  test('counts the bytes of long base64 strings and not those of prose', () => {
    const image = Buffer.alloc(30_000, 7).toString('base64')
    const prose = 'Some words, and more of them. '.repeat(1000)
    const scan = scanObject(encode(JSON.stringify({ image, prose })), wanted)
    expect(scan).toMatchObject({ kind: 'object', base64Bytes: image.length + 2 })
  })

  test('reads within its span only', () => {
    const bytes = encode('xx{"a":12}34')
    const scan = scanObject(bytes, wanted, { start: 2, end: 10 })
    expect(scan.kind === 'object' && scan.fields.get('a')).toEqual({ start: 7, end: 9 })
    expect(scanObject(bytes, wanted, { start: 2, end: 9 }).kind).toBe('broken')
  })
})
