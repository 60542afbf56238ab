// Requests that must be refused with a 4xx: bad JSON, wrong types, bad bytes, poison keys, sizes, depths, headers. The
// list is the same in every run, so that a failure can be told by its name.

export interface MalformedInput {
  readonly name: string
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  /** Made when it is sent, since some are large. */
  body(): Buffer
  readonly chunkBytes?: number
}

const MODEL = 'claude-sonnet-5-5'
const ROUTES = ['/v1/messages', '/v1/messages/count_tokens'] as const
type Headers = readonly (readonly [string, string])[]

const usual = (key: string): Headers => [
  ['x-api-key', key],
  ['anthropic-version', '2023-06-01'],
  ['content-type', 'application/json'],
]

const good = {
  model: MODEL,
  max_tokens: 16,
  messages: [
    { role: 'user', content: 'Say "hi" in ünïcode: \u{1f600}' },
    { role: 'assistant', content: [{ type: 'text', text: 'hi' }] },
    { role: 'user', content: 'again' },
  ],
  system: 'Be brief.',
  metadata: { user_id: 'u1' },
}
const goodText = JSON.stringify(good)

type Named = readonly [name: string, body: Buffer | string | (() => Buffer)]

/** Mulberry32: small, seeded, good enough to choose positions. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function isJson(bytes: Buffer): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
    return true
  } catch {
    return false
  }
}

const MUTATIONS = ['cut', 'changed', 'inserted', 'dropped'] as const

/** One byte cut, changed, put in or doubled somewhere in a good body, where that breaks the JSON. */
function mutations(count: number): Named[] {
  const random = randomFrom(20261121)
  const bytes = Buffer.from(goodText)
  const found: Named[] = []
  while (found.length < count) {
    const at = Math.floor(random() * bytes.length)
    const value = Math.floor(random() * 256)
    const kind = MUTATIONS[Math.floor(random() * MUTATIONS.length)] ?? 'cut'
    const broken = {
      cut: () => bytes.subarray(0, at),
      changed: () =>
        Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at + 1)]),
      inserted: () => Buffer.concat([bytes.subarray(0, at), Buffer.of(value), bytes.subarray(at)]),
      dropped: () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
    }[kind]()
    if (isJson(broken)) continue
    found.push([`byte ${at} ${kind} (${value})`, broken])
  }
  return found
}

const notJson: readonly Named[] = [
  '',
  ' ',
  '\n\t\r ',
  '{',
  '}',
  '{]',
  '{"model"}',
  '{"model":}',
  '{"model":1,}',
  "{'model':'a'}",
  '{model:"a"}',
  'undefined',
  'NaN',
  '{"max_tokens":NaN}',
  '{"max_tokens":Infinity}',
  '{"max_tokens":-}',
  '{"max_tokens":01}',
  '{"max_tokens":+1}',
  '{"max_tokens":.5}',
  '{"max_tokens":1.}',
  '{"max_tokens":1e}',
  '{"max_tokens":0x10}',
  '{"max_tokens":1_000}',
  '{"stream":True}',
  '{"stream":tru}',
  '{"system":"a\nb"}',
  '{"system":"a\tb"}',
  '{"system":"\\x41"}',
  '{"system":"\\u12"}',
  '{"system":"\\u{41}"}',
  '{"system":"\\"}',
  '{"system":"open',
  '// comment\n{}',
  '{/* comment */}',
  '{}{}',
  '{} x',
  `${goodText},`,
  `${goodText}${goodText}`,
  `\u0000${goodText}`,
  `${goodText}\u0000`,
  `\u00a0${goodText}`,
  `)]}',\n${goodText}`,
  'model=claude&max_tokens=1',
  '<?xml version="1.0"?><model/>',
  '--boundary\r\n\r\n{}\r\n--boundary--',
].map((text): Named => [`not JSON: ${JSON.stringify(text.slice(0, 30))}`, text])

const notAnObject: readonly Named[] = [
  '[]',
  '"a"',
  '1',
  'null',
  'true',
  '[{}]',
  '-0',
  `[${goodText}]`,
].map((text): Named => [`not an object: ${text.slice(0, 20)}`, text])

/** Values of the wrong type or out of bounds, by field; none of them is one that Claude takes. */
const wrongFields: Readonly<Record<string, readonly unknown[]>> = {
  model: [
    null,
    1,
    true,
    [],
    {},
    '',
    ['claude-sonnet-5-5'],
    'm'.repeat(300),
    'no-such-model',
    undefined,
  ],
  messages: [
    null,
    'a',
    1,
    {},
    [],
    [null],
    ['a'],
    [1],
    [[]],
    [{}],
    [{ role: 'user' }],
    [{ content: 'a' }],
    [{ role: 'robot', content: 'a' }],
    [{ role: 1, content: 'a' }],
    [{ role: 'user', content: null }],
    [{ role: 'user', content: 1 }],
    [{ role: 'user', content: {} }],
    [{ role: 'user', content: [1] }],
    [{ role: 'user', content: [{}] }],
    [{ role: 'user', content: [{ type: 'text' }] }],
    [{ role: 'user', content: [{ type: 'text', text: 1 }] }],
    undefined,
  ],
  system: [1, true, {}, [1], [{ type: 'text' }]],
  tools: ['a', 1, {}, [1], [{}], [{ name: 1, input_schema: {} }]],
}

const wrongMessageFields: Readonly<Record<string, readonly unknown[]>> = {
  max_tokens: [null, '16', -1, 1.5, true, [], {}, 1e300, undefined],
  stream: ['true', 1, 0, [], {}],
  metadata: ['a', 1, [], { user_id: 1 }, { user_id: {} }],
  thread: [
    'create',
    1,
    [],
    {},
    { type: 1 },
    { type: 'continue' },
    { type: 'continue', previous_message_id: 5 },
  ],
  stop_sequences: ['a', 1, {}, [1]],
  temperature: ['1', -1, 2, {}],
}

const bodyWith = (field: string, value: unknown): string =>
  JSON.stringify({ ...good, [field]: value })

const typed = (fields: Readonly<Record<string, readonly unknown[]>>): Named[] =>
  Object.entries(fields).flatMap(([field, values]) =>
    values.map((value): Named => {
      const shown = value === undefined ? 'missing' : JSON.stringify(value).slice(0, 50)
      return [`${field}: ${shown}`, bodyWith(field, value)]
    }),
  )

const around = (bytes: number[]): Buffer =>
  Buffer.concat([
    Buffer.from(`{"model":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":"a`),
    Buffer.from(bytes),
    Buffer.from('"}]}'),
  ])

const badBytes: readonly Named[] = [
  ['a lone continuation byte', [0x80]],
  ['a byte that UTF-8 has not', [0xff]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong zero', [0xe0, 0x80, 0x80]],
  ['a surrogate as bytes', [0xed, 0xa0, 0x80]],
  ['a surrogate pair as bytes', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['above the last code point', [0xf4, 0x90, 0x80, 0x80]],
  ['a lead byte beyond UTF-8', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['a character cut short', [0xf0, 0x9f, 0x98]],
  ['two bytes cut short', [0xc3]],
  ['Latin-1', [0xe9, 0x20]],
].map(([name, bytes]): Named => [`invalid UTF-8: ${String(name)}`, around(bytes as number[])])

const otherEncodings: readonly Named[] = [
  ['UTF-16, little endian', Buffer.from(goodText, 'utf16le')],
  ['UTF-16 with its mark', Buffer.from(`\ufeff${goodText}`, 'utf16le')],
  [
    'a key in invalid UTF-8',
    Buffer.concat([Buffer.from('{"mod'), Buffer.of(0xff), Buffer.from('el":1}')]),
  ],
]

const surrogates: readonly Named[] = [
  '\\ud800',
  '\\udc00',
  '\\ud83dx',
  '\\ud800\\ud800',
  'a\\uDFFFb',
  '\\ude00\\ud83d',
].map((escape): Named => [
  `a lone surrogate: ${escape}`,
  `{"model":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":"${escape}"}]}`,
])

const poison: readonly Named[] = [
  ['__proto__ at the top', `{"__proto__":{"model":"x"},${goodText.slice(1)}`],
  ['__proto__ at the end', `${goodText.slice(0, -1)},"__proto__":{"stream":true}}`],
  ['__proto__ in escapes', `{"__\\u0070roto__":{},${goodText.slice(1)}`],
  ['__proto__ instead of all', `{"__proto__":${goodText}}`],
  ['__proto__ as null', `{"__proto__":null,${goodText.slice(1)}`],
  ['constructor instead of all', `{"constructor":{"prototype":${goodText}}}`],
  ['model twice', `{"model":"claude-haiku-5-5",${goodText.slice(1)}`],
  ['model twice, once in escapes', `{"mode\\u006c":"claude-haiku-5-5",${goodText.slice(1)}`],
  ['messages twice', `{"messages":[],${goodText.slice(1)}`],
  ['metadata twice', `{"metadata":{"user_id":"a"},${goodText.slice(1)}`],
]

const nested = (open: string, close: string, depth: number): Buffer =>
  Buffer.from(
    `{"model":"${MODEL}","max_tokens":9,"messages":[{"role":"user","content":"a"}],"x":${open.repeat(depth)}1${close.repeat(depth)}}`,
  )

const deep: readonly Named[] = [
  ['100,000 arrays deep', () => nested('[', ']', 100_000)],
  ['100,000 objects deep', () => nested('{"a":', '}', 100_000)],
  ['100,000 of both', () => nested('[{"a":', '}]', 50_000)],
  ['100,000 arrays that stay open', () => Buffer.from('['.repeat(100_000))],
  ['100,000 objects that stay open', () => Buffer.from('{"a":'.repeat(100_000))],
  ['1,000,000 arrays deep', () => nested('[', ']', 1_000_000)],
  ['2,000,000 closing brackets', () => Buffer.from(`{"model":1${']'.repeat(2_000_000)}`)],
]

const FIFTY_MB = 50 * 1024 * 1024

/** Larger than the limit: in one string, of blanks, of many fields. */
const large: readonly (readonly [string, number | undefined, () => Buffer])[] = [
  [
    '50 MB in one string',
    undefined,
    () => Buffer.concat([Buffer.from('{"system":"'), Buffer.alloc(FIFTY_MB, 0x61)]),
  ],
  ['50 MB of blanks, chunked', 65_536, () => Buffer.alloc(FIFTY_MB, 0x20)],
  ['50 MB of brackets', undefined, () => Buffer.alloc(FIFTY_MB, 0x5b)],
  ['50 MB of fields, chunked', 65_536, () => Buffer.alloc(FIFTY_MB, '"a":1,')],
]

const wrongHeaders = (key: string): readonly (readonly [string, Headers])[] => {
  const [auth, version, type] = usual(key) as [Headers[number], Headers[number], Headers[number]]
  const withType = (value: string): Headers => [auth, version, ['content-type', value]]
  const withMore = (...more: Headers): Headers => [auth, version, type, ...more]
  return [
    ...[
      'text/plain',
      'text/html',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/octet-stream',
      'application/jsonp',
      'text/json',
      'json',
      'application/json, text/plain',
      'image/png',
    ].map((value): [string, Headers] => [`content-type ${value}`, withType(value)]),
    ['content-type twice', withMore(['content-type', 'application/json'])],
    ['content-encoding gzip without gzip', withMore(['content-encoding', 'gzip'])],
    ['content-encoding br', withMore(['content-encoding', 'br'])],
    ['x-api-key twice', withMore(['x-api-key', key])],
    ['anthropic-version twice', withMore(['anthropic-version', '2023-06-01'])],
    ['anthropic-version unknown', [auth, type, ['anthropic-version', '1999-01-01']]],
    ['anthropic-version missing', [auth, type]],
    ['no key', [version, type]],
    ['an empty key', [['x-api-key', ''], version, type]],
    ['a key of another service', [['x-api-key', 'sk-ant-api03-abc'], version, type]],
    ['a key with a wrong check', [['x-api-key', `${key.slice(0, -6)}000000`], version, type]],
    ['a key cut short', [['x-api-key', key.slice(0, -1)], version, type]],
    ['a key of 8 KB', [['x-api-key', `slk_${'a'.repeat(8_000)}`], version, type]],
    ['a bearer without a token', [['authorization', 'Bearer '], version, type]],
    ['basic credentials', [['authorization', 'Basic dTpw'], version, type]],
    ...['-1', '1.5', 'abc', '1e3', '', '99999999999'].map((value): [string, Headers] => [
      `sluice-max-wait-ms "${value}"`,
      withMore(['sluice-max-wait-ms', value]),
    ]),
    ...['urgent', 'HIGH', '', 'high,low', 'normal;'].map((value): [string, Headers] => [
      `sluice-lane "${value}"`,
      withMore(['sluice-lane', value]),
    ]),
    ['sluice-user of 5,000 characters', withMore(['sluice-user', 'u'.repeat(5_000)])],
  ]
}

/** `count` inputs, or as many as there are kinds of, whichever is more. */
export function malformedInputs(key: string, count = 500): MalformedInput[] {
  const input = (path: string, [name, body]: Named): MalformedInput => ({
    name: `${path}: ${name}`,
    path,
    headers: usual(key),
    body: () => (typeof body === 'function' ? body() : Buffer.from(body)),
  })
  const everywhere = [
    ...notJson,
    ...notAnObject,
    ...typed(wrongFields),
    ...badBytes,
    ...otherEncodings,
    ...surrogates,
    ...poison,
    ...deep,
  ]
  const inputs = [
    ...ROUTES.flatMap((path) => everywhere.map((named) => input(path, named))),
    ...typed(wrongMessageFields).map((named) => input('/v1/messages', named)),
    ...[...notJson.slice(0, 12), ...badBytes, ...deep].map((named) =>
      input('/v1/chat/completions', named),
    ),
    ...wrongHeaders(key).map(([name, headers]) => ({
      ...input('/v1/messages', [name, goodText]),
      headers,
    })),
    ...large.map(([name, chunkBytes, body]) => ({
      ...input('/v1/messages', [name, body]),
      ...(chunkBytes === undefined ? {} : { chunkBytes }),
    })),
  ]
  const more = mutations(Math.max(60, count - inputs.length))
  return [...inputs, ...more.map((named) => input('/v1/messages', named))]
}
