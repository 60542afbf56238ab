import { crc32 as zlibCrc32 } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { API_KEY_RANDOM_BYTES, makeApiKey, readApiKey } from '../../../src/core/keys/api-key.ts'
import { equalInConstantTime } from '../../../src/core/keys/constant-time.ts'
import { crc32 } from '../../../src/core/keys/crc32.ts'
import { namesOrigin } from '../../../src/core/keys/origin.ts'

const bytes = fc.uint8Array({ minLength: API_KEY_RANDOM_BYTES, maxLength: 256 })

describe('a key', () => {
  test('has an id of 10, a secret of 32 and a check of 6 characters, and reads back', () => {
    fc.assert(
      fc.property(bytes, (random) => {
        const key = makeApiKey(random)
        expect(key.text).toMatch(/^slk_[0-9A-Za-z]{10}_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/)
        expect(key.text.slice(4, 14)).toBe(key.id)
        expect(readApiKey(key.text)).toEqual({ kind: 'key', key })
      }),
    )
  })

  test('keeps this very form: a key that was handed out must stay valid', () => {
    const random = Uint8Array.from({ length: 64 }, (_, index) => index)
    expect(makeApiKey(random).text).toMatchInlineSnapshot(
      `"slk_0Gcb0VZXHt_bKLaMqUiIawolD691iK8Ufvf9Ncn7q8d_0vkf2W"`,
    )
  })

  test('differs wherever its random bytes differ enough to matter, also in the last one', () => {
    const random = new Uint8Array(API_KEY_RANDOM_BYTES)
    const seen = new Set<string>()
    for (let byte = 0; byte < 256; byte += 1) {
      random[API_KEY_RANDOM_BYTES - 1] = byte
      seen.add(makeApiKey(random).text)
    }
    expect(seen.size).toBe(256)
  })

  test('is never made of too little randomness', () => {
    expect(() => makeApiKey(new Uint8Array(API_KEY_RANDOM_BYTES - 1))).toThrow(RangeError)
  })

  test('with one character changed is malformed', () => {
    const position = fc.nat({ max: 53 })
    const character = fc.constantFrom(...'0129ABYZabyz_-é \n'.split(''))
    fc.assert(
      fc.property(bytes, position, character, (random, at, other) => {
        const { text } = makeApiKey(random)
        fc.pre(text[at] !== other)
        const changed = text.slice(0, at) + other + text.slice(at + 1)
        expect(readApiKey(changed)).toEqual({ kind: 'malformed' })
      }),
    )
  })

  test('with two neighbours swapped is malformed', () => {
    fc.assert(
      fc.property(bytes, fc.nat({ max: 52 }), (random, at) => {
        const { text } = makeApiKey(random)
        fc.pre(text[at] !== text[at + 1])
        const swapped = text.slice(0, at) + text[at + 1] + text[at] + text.slice(at + 2)
        expect(readApiKey(swapped)).toEqual({ kind: 'malformed' })
      }),
    )
  })

  test.each([null, ''])('of %j is missing', (presented) => {
    expect(readApiKey(presented)).toEqual({ kind: 'missing' })
  })

  test.each(['slk_', 'sk-ant-api03-x', 'slt_token', 'undefined', ' '])(
    'of %j is malformed',
    (text) => {
      expect(readApiKey(text)).toEqual({ kind: 'malformed' })
    },
  )

  test('surrounded by anything is malformed', () => {
    const { text } = makeApiKey(new Uint8Array(64).fill(7))
    for (const presented of [` ${text}`, `${text} `, `${text}\n`, `${text}, ${text}`]) {
      expect(readApiKey(presented)).toEqual({ kind: 'malformed' })
    }
  })

  test('and whatever else is sent is read without throwing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(readApiKey(text).kind).toBe(text === '' ? 'missing' : 'malformed')
      }),
    )
  })
})

test('the checksum is the CRC-32 that everyone means', () => {
  expect(crc32('123456789')).toBe(0xcbf43926)
  const ascii = fc.string({ unit: 'grapheme-ascii' })
  fc.assert(fc.property(ascii, (text) => crc32(text) === zlibCrc32(text)))
})

test('two texts compare as equal exactly when they are', () => {
  const hex = fc.string({ unit: fc.constantFrom('0', '1', 'f'), maxLength: 4 })
  fc.assert(
    fc.property(hex, hex, (left, right) => {
      expect(equalInConstantTime(left, right)).toBe(left === right)
    }),
  )
})

test('a list of origins names exact ones, or all by a star, and no list names none', () => {
  expect(namesOrigin(null, 'https://a.test')).toBe(false)
  expect(namesOrigin([], 'https://a.test')).toBe(false)
  expect(namesOrigin(['https://a.test'], 'https://a.test')).toBe(true)
  expect(namesOrigin(['https://a.test'], 'https://a.test.evil')).toBe(false)
  expect(namesOrigin(['https://*.test'], 'https://a.test')).toBe(false)
  expect(namesOrigin(['https://b.test', '*'], 'null')).toBe(true)
})
