// Claude requests and answers as the end-to-end tests need them: bodies, headers with a key, events of a stream.
import type { RawAnswer, RawRequest } from './raw-http.ts'

export interface CallOptions {
  readonly key: string
  readonly path?: string
  /** Fields that replace or join the usual ones. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** Instead of a body made of fields. */
  readonly body?: Uint8Array | string
  /** Steers the simulator; the gateway forwards it as it does every `anthropic-*` header. */
  readonly fault?: string
  /** Marks the call in the simulator's journal. */
  readonly tag?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly prompt?: string
}

export const MODEL = 'claude-sonnet-5-5'

export function claudeCall(options: CallOptions): RawRequest {
  const { key, path = '/v1/messages', fault, tag, headers = [] } = options
  const given: [string, string][] = [
    ['x-api-key', key],
    ['anthropic-version', '2023-06-01'],
    ['content-type', 'application/json'],
  ]
  if (fault !== undefined) given.push(['anthropic-sim-fault', fault])
  if (tag !== undefined) given.push(['anthropic-sim-tag', tag])
  return {
    path,
    headers: [...given, ...headers],
    body: options.body ?? JSON.stringify(messageFields(options)),
  }
}

const messageFields = ({ prompt = 'Hello', fields }: CallOptions) => ({
  model: MODEL,
  max_tokens: 256,
  messages: [{ role: 'user', content: prompt }],
  ...fields,
})

export interface ClaudeError {
  readonly type: string
  readonly error: {
    readonly type: string
    readonly message: string
    readonly details?: Readonly<Record<string, unknown>>
  }
  readonly request_id?: string
}

export const errorOf = ({ body }: RawAnswer): ClaudeError =>
  JSON.parse(body.toString()) as ClaudeError

/** True when the body is an error as Claude writes it. */
export function isClaudeError(body: Buffer): boolean {
  try {
    const value = JSON.parse(body.toString()) as Partial<ClaudeError>
    return (
      value.type === 'error' &&
      typeof value.error?.type === 'string' &&
      typeof value.error.message === 'string' &&
      value.error.message !== ''
    )
  } catch {
    return false
  }
}

export interface SseEvent {
  readonly event: string
  readonly data: string
}

/** The events of a stream that uses `\n`; comment lines are left out. */
export function eventsOf(body: Buffer | string): SseEvent[] {
  const blocks = body.toString().split('\n\n')
  return blocks.flatMap((block) => {
    const lines = block.split('\n')
    const event = lines.findLast((line) => line.startsWith('event: '))?.slice(7)
    const data = lines.findLast((line) => line.startsWith('data: '))?.slice(6)
    return event === undefined || data === undefined ? [] : [{ event, data }]
  })
}

export const usageOf = (answer: RawAnswer): Record<string, number> =>
  (JSON.parse(answer.body.toString()) as { usage: Record<string, number> }).usage
