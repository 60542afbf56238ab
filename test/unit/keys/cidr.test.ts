import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allowsAddress, isInRange, readAddress, readRange } from '../../../src/core/keys/cidr.ts'

describe('an address', () => {
  it.each([
    ['1.2.3.4', [1, 2, 3, 4]],
    ['255.255.255.255', [255, 255, 255, 255]],
    ['::', Array<number>(16).fill(0)],
    ['::1', [...Array<number>(15).fill(0), 1]],
    ['::ffff:1.2.3.4', [1, 2, 3, 4]],
    ['::FFFF:102:304', [1, 2, 3, 4]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ['2001:db8::1.2.3.4', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]],
    ['1:2:3:4:5:6:7::', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
  ])('%s is read', (text, bytes) => {
    expect(readAddress(text)).toEqual(bytes)
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.0x4',
    ' 1.2.3.4',
    '1.2.3.-4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '12345::',
    '::g',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    'fe80::1%eth0',
    '[::1]',
    'localhost',
  ])('%j is none', (text) => {
    expect(readAddress(text)).toBeNull()
  })

  it('of either version is read back from how it is written', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.array(byte, { minLength: 4, maxLength: 4 }), (bytes) => {
        expect(readAddress(bytes.join('.'))).toEqual(bytes)
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        expect([4, 16]).toContain(readAddress(text)?.length)
      }),
    )
  })
})

describe('a range', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['192.0.2.128/25', '192.0.2.129', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '203.0.113.9', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
    ['::ffff:10.0.0.0/104', '10.1.1.1', true],
    ['::ffff:10.0.0.0/104', '11.1.1.1', false],
  ])('%s holds %s: %s', (range, address, holds) => {
    expect(allowsAddress([range], address)).toBe(holds)
  })

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '/8',
    'x/8',
    '10.0.0.0/-1',
  ])('%j is none', (text) => {
    expect(readRange(text)).toBeNull()
  })

  it('holds exactly the addresses that share its first bits', () => {
    const address = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 })
    const toNumber = (bytes: readonly number[]) => bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (base, other, bits) => {
        const size = 2 ** (32 - bits)
        const same = Math.floor(toNumber(base) / size) === Math.floor(toNumber(other) / size)
        expect(isInRange(other, { bytes: base, prefixBits: bits })).toBe(same)
      }),
    )
  })

  it('list that is absent allows all, and one that is there allows no unknown address', () => {
    expect(allowsAddress(null, null)).toBe(true)
    expect(allowsAddress(['0.0.0.0/0', '::/0'], null)).toBe(false)
    expect(allowsAddress([], '10.0.0.1')).toBe(false)
  })
})
