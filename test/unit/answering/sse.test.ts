import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SseScanner } from '../../../src/core/answering/sse.ts'
import { captures, splitEvery } from '../../support/captures.ts'

type Seen = readonly [type: string, data: string | null]

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string =>
  new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(bytes)

function scan(chunks: readonly Uint8Array[], maxEventBytes?: number): readonly Seen[] {
  const seen: Seen[] = []
  const scanner = new SseScanner(
    ({ type, data }) => seen.push([type, data === null ? null : decode(data)]),
    maxEventBytes,
  )
  for (const chunk of chunks) {
    // A copy that is wiped afterwards: what a scanner keeps must be its own.
    const own = chunk.slice()
    scanner.push(own)
    own.fill(0x58)
  }
  return seen
}

/** The standard's algorithm on the whole text, written to be read rather than to be fast. */
function naive(text: string): readonly Seen[] {
  const seen: Seen[] = []
  let type = ''
  let data: string[] = []
  for (const line of text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/)
    .slice(0, -1)) {
    if (line === '') {
      if (data.length > 0) seen.push([type, data.join('\n')])
      type = ''
      data = []
      continue
    }
    const [, name, , value = ''] = /^([^:]*)(: ?)?([\s\S]*)$/.exec(line) ?? []
    if (name === 'event') type = value
    if (name === 'data') data.push(value)
  }
  return seen
}

const stream = [
  '\ufeffevent: message_start\ndata: {"a":"ü€😀"}   \n\n',
  ': a comment\n\n',
  'data: one\r\ndata:two\r\ndata\r\n\r\n',
  'event: ping\rdata: {}\r\r',
  'id: 7\nretry: 10\nevent: nothing\n\n',
  'event: x\nevent: y\ndata:  spaced\n\n',
  'databases: no\ndata: yes\n\n',
  'data: never ended',
].join('')

describe('SseScanner', () => {
  test('finds the events of a stream with every oddity of the standard', () => {
    expect(scan([encode(stream)])).toEqual([
      ['message_start', '{"a":"ü€😀"}   '],
      ['', 'one\ntwo\n'],
      ['ping', '{}'],
      ['y', ' spaced'],
      ['', 'yes'],
    ])
  })

  test('finds the same wherever the bytes are cut in two', () => {
    const bytes = encode(stream)
    const whole = scan([bytes])
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(scan([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole)
    }
    expect(scan(splitEvery(bytes, 1))).toEqual(whole)
  })

  test('agrees with the standard on any text, cut anywhere', () => {
    const piece = fc.constantFrom(
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      'data: ',
      'data:',
      'data',
      'event: ',
      'event',
      ':',
      ' ',
      'a',
      'é',
      '\ufeff',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.nat(60), { maxLength: 8 }),
        (pieces, cuts) => {
          // A CR at the very end may be half of a CRLF: the naive reader cannot know.
          const text = `${pieces.join('')}x\n`
          const bytes = encode(text)
          const places = [0, ...cuts.sort((a, b) => a - b), bytes.length]
          const chunks = places.slice(1).map((end, at) => bytes.subarray(places[at], end))
          expect(scan(chunks)).toEqual(naive(text))
        },
      ),
      { numRuns: 3000 },
    )
  })

  test.skipIf(captures.length === 0)(
    'reads each real stream as the standard does, however split',
    () => {
      for (const { bytes } of captures) {
        const expected = naive(decode(bytes))
        for (const size of [1, 3, 300, 1_000_000]) {
          expect(scan(splitEvery(bytes, size))).toEqual(expected)
        }
      }
    },
  )
})

describe('an event above the limit', () => {
  const big = `event: big\ndata: ${'x'.repeat(500)}\ndata: more\n\n`
  const after = 'event: small\ndata: ok\n\n'

  test.each([1, 7, 100, 10_000])('is told of without its data, in chunks of %i', (size) => {
    expect(scan(splitEvery(encode(big + after), size), 200)).toEqual([
      ['big', null],
      ['small', 'ok'],
    ])
  })

  test('is also one of many small lines', () => {
    const lines = `${'data: 0123456789\n'.repeat(50)}\n`
    expect(scan(splitEvery(encode(lines + after), 13), 200)).toEqual([
      ['', null],
      ['small', 'ok'],
    ])
  })

  test('may be a comment, which is then no event', () => {
    expect(scan(splitEvery(encode(`:${'x'.repeat(500)}\n\n${after}`), 9), 200)).toEqual([
      ['small', 'ok'],
    ])
  })

  test('holds no more memory than the limit, however long it goes on', () => {
    const scanner = new SseScanner(() => {})
    const chunk = encode('x'.repeat(1024 * 1024))
    scanner.push(encode('data: '))
    const before = process.memoryUsage().arrayBuffers
    for (let megabytes = 0; megabytes < 200; megabytes += 1) scanner.push(chunk)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 1024 * 1024)
  })
})

describe('atBoundary', () => {
  test('is true only where no event has begun that is not complete', () => {
    const scanner = new SseScanner(() => {})
    const boundaries = Array.from('event: a\ndata: b\n\n:c\n\n', (char) => {
      scanner.push(encode(char))
      return scanner.atBoundary ? '|' : '.'
    })
    expect(boundaries.join('')).toBe('.................|...|')
  })

  test('is true before anything came, and after a blank line of CRLF', () => {
    const scanner = new SseScanner(() => {})
    expect(scanner.atBoundary).toBe(true)
    scanner.push(encode('data: b\r\n\r\n'))
    expect(scanner.atBoundary).toBe(true)
    scanner.push(encode('data: b\r\n'))
    expect(scanner.atBoundary).toBe(false)
  })

  test('a comment put in at a boundary changes no event', () => {
    const bytes = encode(stream.slice(1))
    const whole = scan([bytes])
    const scanner = new SseScanner(() => {})
    const parts: Uint8Array[] = []
    for (const byte of splitEvery(bytes, 1)) {
      parts.push(byte)
      scanner.push(byte)
      if (scanner.atBoundary) parts.push(encode(': waiting\n\n'))
    }
    expect(parts.length).toBeGreaterThan(bytes.length + 5)
    expect(scan(parts)).toEqual(whole)
  })
})
