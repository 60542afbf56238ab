// Bodies that are refused before anything is sent, with the reason that each is refused for: the scanner's own corpus.
// What headers, sizes and Claude's own checks refuse is in the end-to-end suite's.
import { wrongTypes } from './malformed-fields.ts'

export interface MalformedBody {
  readonly name: string
  /** Made when it is read: some have megabytes. */
  readonly bytes: () => Uint8Array
  readonly reason: 'invalid_json' | 'invalid_request'
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
export const VALID_BODY =
  '{"model":"claude-sonnet-5-5","max_tokens":16,"stream":false,"metadata":{"user_id":"u1"},"messages":[{"role":"user","content":[{"type":"text","text":"Say \\"hi\\" \\u00e9 \\ud83d\\ude00"}]}]}'

const input = (
  name: string,
  bytes: () => Uint8Array,
  reason: MalformedBody['reason'] = 'invalid_json',
): MalformedBody => ({ name, bytes, reason })

const broken = (name: string, text: string): MalformedBody => input(name, () => utf8(text))
const invalid = (name: string, text: string): MalformedBody =>
  input(name, () => utf8(text), 'invalid_request')

/** Puts raw JSON where a message's text stands. */
const withContent = (json: string): string =>
  `{"model":"claude-sonnet-5-5","max_tokens":16,"messages":[{"role":"user","content":${json}}]}`

const brokenTexts = [
  '',
  ' ',
  '\n\n\t',
  'null x',
  'undefined',
  'NaN',
  '{',
  '}',
  '[',
  '"',
  '{]',
  '{}}',
  '{}{}',
  '{"model"}',
  '{"model":}',
  '{"model":"a",}',
  '{,"model":"a"}',
  '{"model" "a"}',
  '{"model"="a"}',
  "{'model':'a'}",
  '{model:"a"}',
  '{"model":"a"} trailing',
  '{"model":"a"}\0',
  '// a comment\n{"model":"a"}',
  '{"model":"a" /* no */}',
  '\ufeff{"model":"a"}',
  '{"model":"a\nb"}',
  '{"model":"a\tb"}',
  '{"model":"a\u0000b"}',
  'model=claude&max_tokens=1',
  '<?xml version="1.0"?><model/>',
  '--boundary\r\ncontent-disposition: form-data',
  'True',
  'TRUE',
  'nul',
  'truefalse',
]
const brokenValues = [
  '01',
  '-',
  '+1',
  '.5',
  '1.',
  '1e',
  '1e+',
  '0x10',
  '1_000',
  '--1',
  '1.2.3',
  '1e5.5',
  'Infinity',
  '-Infinity',
  '"\\',
  '"\\x41"',
  '"\\u"',
  '"\\u12"',
  '"\\u123g"',
  '"\\ "',
  '"\\\n"',
  "'a'",
  '"a',
  '`a`',

  '[1,]',
  '[,1]',
  '[1 2]',
  '[1,,2]',
  '[1;2]',
  '{"a":1,}',
  '{"a"}',
  '{1:2}',
  '{"a":1 "b":2}',
  '[}',
  '{]',
  '(1)',
]
/** Half a pair, or two in the wrong order: no UTF-8 can hold it. */
const loneSurrogates = [
  '\\ud800',
  '\\udbff',
  '\\udc00',
  '\\udfff',
  '\\ud800a',
  '\\ud800\\n',
  '\\udc00\\ud800',
  '\\ud83d\\ud83d\\ude00',
]

const invalidUtf8: readonly (readonly [string, readonly number[]])[] = [
  ['a lone continuation', [0x80]],
  ['two continuations', [0x80, 0xbf]],
  ['a lead and no more', [0xc3]],
  ['a lead and a letter', [0xc3, 0x41]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['an overlong in three bytes', [0xe0, 0x80, 0xaf]],
  ['an overlong in four bytes', [0xf0, 0x80, 0x80, 0xaf]],
  ['a high surrogate', [0xed, 0xa0, 0x80]],
  ['a low surrogate', [0xed, 0xbf, 0xbf]],
  ['a pair as CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a lead of five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['a lead of six bytes', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]],
  ['FE', [0xfe]],
  ['FF', [0xff]],
  ['a cut of three', [0xe2, 0x82]],
  ['a cut of four', [0xf0, 0x9f, 0x98]],
  ['Latin-1', [0xe9, 0x74, 0xe9]],
  ['Windows-1252 quotes', [0x93, 0x61, 0x94]],
]

/** `before`, the raw bytes, `after`. */
function spliced(before: string, bytes: readonly number[], after: string): Uint8Array {
  return Uint8Array.from([...utf8(before), ...bytes, ...utf8(after)])
}

const badBytes = invalidUtf8.flatMap(([name, bytes]) => [
  input(`invalid UTF-8 in a text: ${name}`, () =>
    spliced(withContent('"').slice(0, -3), bytes, '"}]}'),
  ),
  input(`invalid UTF-8 in a key: ${name}`, () =>
    spliced('{"', bytes, `":1,${VALID_BODY.slice(1)}`),
  ),
])

const nestings: readonly (readonly [string, string, string])[] = [
  ['lists', '[', ']'],
  ['objects', '{"a":', '}'],
  ['both', '[{"a":', '}]'],
]
const deep = nestings.flatMap(([name, open, close]) =>
  [1100, 100_000, 1_000_000].flatMap((depth) => [
    input(`${depth} nested ${name}`, () =>
      utf8(withContent(`${open.repeat(depth)}1${close.repeat(depth)}`)),
    ),
    input(`${depth} nested ${name} that are never closed`, () =>
      utf8(withContent(open.repeat(depth))),
    ),
  ]),
)

const twice = [
  ['model', '"claude-haiku-4-5"'],
  ['max_tokens', '1'],
  ['stream', 'true'],
  ['messages', '[]'],
  ['metadata', '{}'],
].flatMap(([name = '', value = '']) => {
  const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`
  return [
    invalid(`${name} given twice`, `{"${name}":${value},${VALID_BODY.slice(1)}`),
    invalid(`${name} given again, escaped`, `${VALID_BODY.slice(0, -1)},"${escaped}":${value}}`),
  ]
})
const prototypes = ['{"model":"x"}', 'null', '[]', '{"__proto__":{}}'].flatMap((value) => [
  invalid(`__proto__ as ${value}`, `{"__proto__":${value},${VALID_BODY.slice(1)}`),
  invalid(`an escaped __proto__ as ${value}`, `{"\\u005f_proto__":${value},${VALID_BODY.slice(1)}`),
])

const otherEncodings = [
  input('UTF-16 with its mark', () =>
    Uint8Array.from([0xff, 0xfe, ...Buffer.from(VALID_BODY, 'utf16le')]),
  ),
  input('UTF-16 without it', () => Uint8Array.from(Buffer.from(VALID_BODY, 'utf16le'))),
  input('UTF-32', () =>
    Uint8Array.from(utf8(VALID_BODY)).reduce<Uint8Array>(
      (all, byte, at) => {
        all[at * 4] = byte
        return all
      },
      new Uint8Array(utf8(VALID_BODY).length * 4),
    ),
  ),
  input('a gzip header', () => Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])),
  input('a megabyte of NUL', () => new Uint8Array(1_000_000)),
  input('a megabyte of FF', () => new Uint8Array(1_000_000).fill(0xff)),
  input('a megabyte of backslashes in a string', () => utf8(`{"a":"${'\\'.repeat(999_999)}"`)),
]

export const malformedBodies: readonly MalformedBody[] = [
  ...brokenTexts.map((text) => broken(`text ${JSON.stringify(text)}`, text)),
  ...brokenValues.map((value) => broken(`value ${value}`, withContent(value))),
  ...loneSurrogates.flatMap((escape) => [
    broken(`a lone surrogate in a text: ${escape}`, withContent(`"x${escape}"`)),
    broken(`a lone surrogate as model: ${escape}`, VALID_BODY.replace('claude', escape)),
    broken(`a lone surrogate in a key: ${escape}`, withContent(`{"${escape}":1}`)),
  ]),
  ...badBytes,
  ...otherEncodings,
  ...deep,
  ...twice,
  ...prototypes,
  ...wrongTypes.map(([name, text]) => invalid(name, text)),
]
