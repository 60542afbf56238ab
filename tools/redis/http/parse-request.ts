// From an HTTP request to the commands that it asks for: a JSON array in the body, or the path itself.
import { fromUtf8 } from '../engine/bytes.ts'
import type { Command } from '../engine/engine.ts'

export interface RawRequest {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
  readonly body: Buffer
}

export type Plan =
  | { readonly kind: 'single'; readonly command: Command }
  | { readonly kind: 'pipeline' | 'transaction'; readonly commands: readonly Command[] }
  | { readonly kind: 'malformed'; readonly reason: string }

export function parseRequest(request: RawRequest): Plan {
  const [path = '/', query = ''] = request.target.split('?', 2)
  const kind = bodyKinds.get(path)
  if (kind === undefined) return pathCommand(path, query, request)
  if (request.method === 'GET' || request.method === 'HEAD') {
    return malformed('ERR a command is expected in the path, or in the body of a POST')
  }
  return bodyCommands(kind, request.body)
}

const bodyKinds = new Map<string, 'single' | 'pipeline' | 'transaction'>([
  ['', 'single'],
  ['/', 'single'],
  ['/pipeline', 'pipeline'],
  ['/multi-exec', 'transaction'],
])

const malformed = (reason: string): Plan => ({ kind: 'malformed', reason })

function bodyCommands(kind: 'single' | 'pipeline' | 'transaction', body: Buffer): Plan {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    return malformed('ERR failed to parse the request body as JSON')
  }
  if (kind === 'single') {
    const command = toCommand(parsed)
    return command === null ? malformed(expectsCommand) : { kind, command }
  }
  if (!Array.isArray(parsed)) return malformed(expectsCommands)
  const commands: Command[] = []
  for (const item of parsed) {
    const command = toCommand(item)
    if (command === null) return malformed(expectsCommands)
    commands.push(command)
  }
  return commands.length === 0 ? malformed('ERR empty pipeline request') : { kind, commands }
}

const expectsCommand =
  'ERR failed to parse command: expected a non-empty array of strings, numbers or booleans'
const expectsCommands = 'ERR failed to parse pipeline request: expected an array of commands'

function toCommand(value: unknown): Command | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const command: string[] = []
  for (const item of value) {
    if (typeof item === 'string') command.push(fromUtf8(item))
    else if (typeof item === 'number' || typeof item === 'boolean') command.push(String(item))
    else return null
  }
  return command
}

/** `/set/key/value?EX=100`; the body of a POST stands between path and query. */
function pathCommand(path: string, query: string, request: RawRequest): Plan {
  const command = path.slice(1).replace(/\/$/, '').split('/').map(decodeBytes)
  const posted = request.method === 'POST' || request.method === 'PUT'
  if (posted && request.body.length > 0) command.push(request.body.toString('latin1'))
  for (const [name, value] of queryPairs(query)) {
    if (name === '_token') continue
    command.push(name)
    if (value !== '') command.push(value)
  }
  return { kind: 'single', command }
}

export function queryPairs(query: string): [string, string][] {
  if (query === '') return []
  return query.split('&').map((pair) => {
    const [name = '', ...value] = pair.replaceAll('+', ' ').split('=')
    return [decodeBytes(name), decodeBytes(value.join('='))]
  })
}

/** Percent signs stand for bytes, whether these are UTF-8 or not. */
function decodeBytes(text: string): string {
  return fromUtf8(text).replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
