// Valid JSON with a field of the wrong type or none: what each is called, and the body.

const valid: Readonly<Record<string, unknown>> = {
  model: 'claude-sonnet-5-5',
  max_tokens: 16,
  messages: [{ role: 'user', content: 'Hi' }],
}

/** For each field: what it must not be, as JSON, since `1e999` has no other form. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  model: [
    'null',
    '1',
    'true',
    '[]',
    '{}',
    '""',
    '["claude"]',
    `"${'m'.repeat(300)}"`,
    `"${'m'.repeat(100_000)}"`,
  ],
  max_tokens: [
    'null',
    '"16"',
    'true',
    '[]',
    '{}',
    '-1',
    '1.5',
    '1e999',
    '-1e999',
    '9007199254740993',
    '1e-5',
  ],
  messages: ['null', '"Hi"', '1', 'true', '{}', '[]', '[ \\n ]'.replace('\\n', '\n'), '{"0":{}}'],
  stream: ['"true"', '1', '0', '[]', '{}', '""', '"yes"'],
  metadata: [
    '"u1"',
    '1',
    'true',
    '[]',
    '[{}]',
    '{"user_id":1}',
    '{"user_id":[]}',
    '{"user_id":{}}',
  ],
  thread: [
    '"create"',
    '1',
    'true',
    '[]',
    '{}',
    '{"type":1}',
    '{"type":null}',
    '{"type":"continue"}',
    '{"type":"continue","previous_message_id":7}',
  ],
  service_tier: ['1', 'true', '[]', '{}'],
}

const bodyWith = (name: string, json: string): string => {
  const fields = Object.entries(valid).filter(([key]) => key !== name)
  return `{${[...fields.map(([key, value]) => `"${key}":${JSON.stringify(value)}`), `"${name}":${json}`].join(',')}}`
}

const without = (name: string): string =>
  JSON.stringify(Object.fromEntries(Object.entries(valid).filter(([key]) => key !== name)))

export const wrongTypes: readonly (readonly [name: string, body: string])[] = [
  ...Object.entries(wrong).flatMap(([name, values]) =>
    values.map(
      (json) => [`${name} as ${json.slice(0, 50)} (${json.length})`, bodyWith(name, json)] as const,
    ),
  ),
  ...Object.keys(valid).map((name) => [`no ${name}`, without(name)] as const),
  ...['null', 'true', '7', '"text"', '[]', `[${JSON.stringify(valid)}]`, '{}', '[[[]]]'].map(
    (body) => [`a body that is ${body}`, body] as const,
  ),
]
