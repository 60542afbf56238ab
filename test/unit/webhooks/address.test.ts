// Section 7 of the contract: which addresses a webhook may have, over every spelling of those that it may not.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeWebhookAddress } from '../../../src/core/webhooks/address.ts'
import { isPublicAddressText } from '../../../src/core/webhooks/public-address.ts'

const isAllowed = (text: string, allow: readonly string[] = []): boolean =>
  judgeWebhookAddress(text, allow).kind === 'allowed'

const INNER_4 = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '192.168.255.255',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
]

const bytesOf = (address: string): number[] => address.split('.').map(Number)
const numberOf = (address: string): number =>
  bytesOf(address).reduce((sum, byte) => sum * 256 + byte, 0)
const hex = (value: number): string => value.toString(16)

/** How else an IPv4 address may be written. */
function spellingsOf(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = bytesOf(address)
  const whole = numberOf(address)
  const groups = `${hex(a * 256 + b)}:${hex(c * 256 + d)}`
  const wide = Array.from(address, (character) =>
    character === '.' ? '\u3002' : String.fromCodePoint(0xff10 + Number(character)),
  )
  return [
    address,
    `${address}.`,
    String(whole),
    `0${whole.toString(8)}`,
    `0x${hex(whole)}`,
    `0X${hex(whole).toUpperCase()}`,
    `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`,
    `0x${hex(a)}.0x${hex(b)}.0x${hex(c)}.0x${hex(d)}`,
    `0x${hex(a)}.${b}.0${c.toString(8)}.${d}`,
    `${a}.${b}.${c * 256 + d}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    `00${a}.00${b}.00${c}.00${d}`,
    `[::ffff:${address}]`,
    `[::FFFF:${groups}]`,
    `[0:0:0:0:0:ffff:${groups}]`,
    `[0000:0000:0000:0000:0000:ffff:${address}]`,
    `[::${address}]`,
    `[::${groups}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${groups}]`,
    `[2002:${groups}::]`,
    `[2002:${groups}::1]`,
    `[2001:0:${groups}::1]`,
    `[::ffff:0:${address}]`,
    `[fe80::5efe:${address}]`,
    wide.join(''),
    address.replaceAll('.', '%2e'),
    Array.from(address, (character) => `%${hex(character.charCodeAt(0))}`).join(''),
    address.replaceAll('.', '。'),
  ]
}

describe('an inner address is refused in every spelling', () => {
  it.each(INNER_4)('%s', (address) => {
    const reached = spellingsOf(address).filter((host) => isAllowed(`https://${host}/hook`))
    expect(reached).toEqual([])
    const onPort = spellingsOf(address).filter((host) => isAllowed(`https://${host}:8443/hook`))
    expect(onPort).toEqual([])
  })

  it.each([
    '[::]',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fd12:3456:789a::1]',
    '[fe80::1]',
    '[fe80::1%25eth0]',
    '[fe80::1%eth0]',
    '[fec0::1]',
    '[ff02::1]',
    '[FF05::1:3]',
    '[100::1]',
    '[2001:db8::1]',
    '[2001::1]',
    '[3fff::1]',
    '[5f00::1]',
    '[64:ff9b::1]',
    '[2620:4f:8000::1]',
    '[4000::1]',
    '[::1',
    '::1]',
    '::1',
    '[1::2::3]',
    '[v1.x]',
    '[]',
    '[127.0.0.1]',
  ])('%s', (host) => {
    expect(isAllowed(`https://${host}/hook`)).toBe(false)
  })

  it('holds for every address of an inner range, however it is written', () => {
    const spelled = fc
      .tuple(fc.constantFrom(10, 127, 169, 172, 192, 100), fc.nat(255), fc.nat(255), fc.nat(255))
      .map(([a, b, c, d]) => {
        if (a === 169) return [a, 254, c, d]
        if (a === 172) return [a, 16 + (b % 16), c, d]
        if (a === 192) return [a, 168, c, d]
        return a === 100 ? [a, 64 + (b % 64), c, d] : [a, b, c, d]
      })
      .chain((bytes) => fc.constantFrom(...spellingsOf(bytes.join('.'))))
    fc.assert(
      fc.property(spelled, (host) => {
        expect(isAllowed(`https://${host}/`)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a name of an inner network is refused', () => {
  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'LocalHost.LocalDomain',
    'metadata.google.internal',
    'metadata.google.internal.',
    'x.INTERNAL',
    'printer.local',
    'printer.LOCAL.',
    'router.home.arpa',
    'wiki.intranet',
    'metadata',
    'instance-data',
    'redis',
    'com',
    'com.',
    '.',
    '..',
    '',
    '.example.com',
    'a..b',
    'example..',
    '-a.com',
    'a-.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}com`,
    'localhost%00.example.com',
    'ｌocalhost',
    'loc\u00adalhost',
    'ⓛocalhost',
    'münchen.example',
    '*.example.com',
    'a b.com',
  ])('%j', (host) => {
    expect(isAllowed(`https://${host}/hook`)).toBe(false)
  })
})

describe('another form than https on 443 or 8443 is refused', () => {
  it.each([
    'http://example.com/',
    'ftp://example.com/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    '//example.com/',
    'example.com',
    'https:example.com',
    'https:/example.com',
    '',
    'https:///example.com',
    'https:\\\\example.com',
    'https://example.com\\@10.0.0.1/',
    'https://user@example.com/',
    'https://user:pass@example.com/',
    'https://@example.com/',
    'https://example.com@127.0.0.1/',
    'https://127.0.0.1#@example.com/',
    'https://:443/',
    'https://example.com:80/',
    'https://example.com:0443/',
    'https://example.com:6379/',
    'https://example.com:/',
    'https://example.com:443:443/',
    'https://example.com:-1/',
    ' https://example.com/',
    'https://example.com/\n',
    'https://exam\tple.com/',
    'https://exam\nple.com/',
    'https://example.com/ä',
    'https://example.com/a b',
    'https://example.com%2f@10.0.0.1/',
    'https://example.com&@10.0.0.1/',
    `https://example.com/${'a'.repeat(2_100)}`,
  ])('%j', (text) => {
    expect(isAllowed(text)).toBe(false)
  })
})

describe('a public address is allowed', () => {
  it.each([
    'https://example.com',
    'https://example.com/',
    'https://Example.COM./hook?a=b&c=%20#d',
    'https://example.com:443/hook',
    'https://example.com:8443',
    'HTTPS://example.com/x@y',
    'https://xn--mnchen-3ya.example/',
    'https://a.b-c.d_e.example.co.uk/',
    'https://1.1.1.1/',
    'https://11.0.0.1/',
    'https://172.32.0.1/',
    'https://100.128.0.1/',
    'https://1password.com',
    'https://[2606:4700:4700::1111]/',
    'https://internal.example.com/',
    'https://local.dev/',
    'https://localhost.example.com/',
    'https://example.com?x',
    'https://example.com#x',
  ])('%s', (text) => {
    expect(judgeWebhookAddress(text, [])).toEqual({ kind: 'allowed', isExempt: false })
  })

  it('reads to the platform as the same host: nothing that we allow means another one to a parser', () => {
    const pieces = fc.array(
      fc.constantFrom(
        'https://',
        'a',
        'b.com',
        '.',
        '127.0.0.1',
        '0x7f',
        '1',
        ':443',
        ':8443',
        '@',
        '/',
        '?',
        '#',
        '\\',
        '%2e',
        '[::1]',
        'localhost',
        '.internal',
        '-',
        '_',
        'xn--',
        'É',
        ' ',
        '\t',
        ':',
      ),
      { minLength: 1, maxLength: 9 },
    )
    fc.assert(
      fc.property(pieces, (parts) => {
        const text = `https://${parts.join('')}`
        if (!isAllowed(text)) return
        // The library's parser refuses a broken xn-- label: then nothing is sent at all.
        if (!URL.canParse(text)) return
        const { hostname, port, username, password, protocol } = new URL(text)
        expect([protocol, username, password]).toEqual(['https:', '', ''])
        expect(['', '8443']).toContain(port)
        const authority = text.slice('https://'.length).split(/[/?#]/)[0] ?? ''
        expect(hostname).toBe(authority.replace(/:\d+$/, '').toLowerCase())
        expect(hostname === 'localhost' || hostname.endsWith('.internal')).toBe(false)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('an origin that the settings allow', () => {
  const allow = ['http://127.0.0.1:9999', 'https://localhost']

  it.each(['http://127.0.0.1:9999', 'http://127.0.0.1:9999/hook?x', 'HTTPS://LOCALHOST/x'])(
    'is exempt: %s',
    (text) => {
      expect(judgeWebhookAddress(text, allow)).toEqual({ kind: 'allowed', isExempt: true })
    },
  )

  it.each([
    'http://127.0.0.1:999/',
    'http://127.0.0.1:99990/',
    'https://127.0.0.1:9999/',
    'http://127.0.0.1/',
    'http://user@127.0.0.1:9999/',
    'http://127.0.0.1:9999@evil.example/',
    'http://127.1:9999/',
    'https://localhost:444/',
    'http://127.0.0.1:9999\\evil',
    'https://localhost.:443/',
    'https://localhost:9999/',
  ])('exempts no other: %s', (text) => {
    expect(isAllowed(text, allow)).toBe(false)
  })
})

describe('an address that a resolver gives', () => {
  it.each(['1.1.1.1', '2606:4700:4700::1111', '::ffff:1.1.1.1'])('is public: %s', (text) => {
    expect(isPublicAddressText(text)).toBe(true)
  })

  it.each([...INNER_4, '::1', '::ffff:127.0.0.1', 'fd00::1', 'fe80::1%eth0', 'example.com', ''])(
    'is not: %s',
    (text) => {
      expect(isPublicAddressText(text)).toBe(false)
    },
  )
})
