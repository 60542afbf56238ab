// The requests that are sent: Claude requests of a given size, with the headers that Claude's SDK sends.

export interface RequestOptions {
  /** Bytes of the body, about. */
  readonly bytes: number
  /** What the upstream shall do: see upstream/claude.ts. Empty: a JSON answer. */
  readonly ask: string
  readonly headers: Readonly<Record<string, string>>
}

export function messageRequest({ bytes, ask, headers }: RequestOptions): Buffer {
  const body = messageBody(bytes, ask)
  const lines = Object.entries({
    host: '127.0.0.1',
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': 'Anthropic/JS 1.11.0',
    'x-stainless-lang': 'js',
    'x-stainless-package-version': '1.11.0',
    'x-stainless-os': 'Linux',
    'x-stainless-arch': 'x64',
    'x-stainless-runtime': 'node',
    'x-stainless-runtime-version': 'v24.21.0',
    'x-stainless-retry-count': '0',
    'x-stainless-timeout': '600',
    'anthropic-version': '2023-06-01',
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
  }).map(([name, value]) => `${name}: ${value}`)
  return Buffer.from(`POST /v1/messages HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

/** As agents send them: few top-level fields first, then a system prompt, tools and a long conversation. */
function messageBody(bytes: number, ask: string): string {
  const head = {
    model: 'claude-haiku-4-5',
    max_tokens: 1_024,
    ...(ask === '' ? {} : { stream: true, metadata: { user_id: ask } }),
  }
  const question = {
    role: 'user',
    content: 'How does a gate let calls in? Say it in one sentence.',
  }
  if (bytes <= 1_000) return JSON.stringify({ ...head, messages: [question] })
  const tools = [1, 2, 3, 4].map((n) => ({
    name: `tool_${n}`,
    description: 'Reads a file and answers with its "lines".\n',
    input_schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
  }))
  const messages: object[] = []
  let length = JSON.stringify({ ...head, tools }).length
  for (let turn = 0; length < bytes; turn += 1) {
    const message = turnOf(turn)
    messages.push(message)
    length += JSON.stringify(message).length + 1
  }
  return JSON.stringify({ ...head, system: 'You work in a repository.', tools, messages })
}

/** As dense in newlines and quotes as source code is, with a rare character outside ASCII. */
const CODE = `import { readFile } from 'node:fs/promises'

/** The sum of all lines that begin with a number; others – comments, blanks – are skipped. */
export async function sumLines(path: string, separator = "\\n"): Promise<number> {
  const text = await readFile(path, 'utf8')
  let total = 0
  for (const line of text.split(separator)) {
    const value = Number.parseFloat(line.trim())
    if (Number.isNaN(value)) continue
    total += value
  }
  return total
}

export const describe = (path: string, total: number): string =>
  total === 0 ? \`nothing in \${path}\` : \`\${path}: \${total.toFixed(2)} in "all" lines\`
`

function turnOf(turn: number): object {
  if (turn % 2 === 0) {
    return {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: `toolu_${turn}`, content: CODE.repeat(2) }],
    }
  }
  return {
    role: 'assistant',
    content: [
      { type: 'text', text: 'Let me look at the next file.' },
      { type: 'tool_use', id: `toolu_${turn + 1}`, name: 'tool_1', input: { path: 'src/a.ts' } },
    ],
  }
}
