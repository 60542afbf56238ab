// The gateway under examination: how to call it with its key, and how to read what it says. A key whose rate limit
// is reached is waited for, so that a small tier can be examined too.
import { CheckFailure, ensure } from './failure.ts'
import { asObject, type JsonObject } from './json.ts'

export interface TargetOptions {
  readonly url: string
  readonly key: string
  readonly model: string
  /** A browser origin that the key's tenant allows. */
  readonly origin: string
  readonly timeoutMs?: number
  readonly onWait?: (seconds: number) => void
}

export interface CallOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON, text as it is. */
  readonly body?: JsonObject | string
  /** False: no credential at all. */
  readonly withKey?: boolean
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly ms: number
}

export const API_VERSION = '2023-06-01'
const MOST_WAIT_SECONDS = 65
const MOST_WAITS = 3

export class Target {
  readonly url: string
  readonly key: string
  readonly model: string
  readonly origin: string
  readonly timeoutMs: number
  #isSluice: boolean | undefined
  readonly #onWait: (seconds: number) => void

  constructor(options: TargetOptions) {
    this.url = options.url.replace(/\/+$/, '')
    this.key = options.key
    this.model = options.model
    this.origin = options.origin
    this.timeoutMs = options.timeoutMs ?? 30_000
    this.#onWait = options.onWait ?? (() => {})
  }

  /** Known after `connect`. */
  get isSluice(): boolean {
    if (this.#isSluice === undefined) throw new Error('Cannot tell before connect()')
    return this.#isSluice
  }

  /** Whether anybody answers, and whether it is a Sluice gateway: by its keys, or the trace id of its answers. */
  async connect(): Promise<void> {
    const response = await this.open('/v1/models?limit=1')
    await response.body?.cancel()
    this.#isSluice = this.key.startsWith('slk_') || response.headers.has('sluice-trace-id')
  }

  /** The whole answer. Redirects are not followed: no client of Claude's may need to. */
  async call(path: string, options: CallOptions = {}): Promise<Answer> {
    const startedAt = performance.now()
    const response = await this.open(path, options)
    const text = await response.text()
    const { status, headers } = response
    return { status, headers, text, ms: Math.round(performance.now() - startedAt) }
  }

  /** The answer as soon as its headers are there. */
  async open(path: string, options: CallOptions = {}): Promise<Response> {
    for (let waits = 0; ; waits++) {
      const response = await fetch(`${this.url}${path}`, this.#init(options))
      const seconds = secondsToWait(response)
      if (seconds === null || waits === MOST_WAITS) return response
      await response.body?.cancel()
      this.#onWait(seconds)
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    }
  }

  #init(options: CallOptions): RequestInit {
    const { body, withKey = true, signal } = options
    const timeout = AbortSignal.timeout(this.timeoutMs)
    return {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        'anthropic-version': API_VERSION,
        ...(withKey ? { 'x-api-key': this.key } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    }
  }
}

/** Only the key's own limit is waited for; any other 429 is an answer to judge. */
function secondsToWait(response: Response): number | null {
  const { status, headers } = response
  if (status !== 429 || headers.get('sluice-reason') !== 'tenant_requests') return null
  const seconds = Number(headers.get('retry-after'))
  return seconds >= 1 && seconds <= MOST_WAIT_SECONDS ? seconds : null
}

export function readJson(answer: Answer): JsonObject {
  const type = answer.headers.get('content-type') ?? 'none'
  ensure(type.startsWith('application/json'), `content-type is ${type}, not application/json`)
  try {
    return asObject(JSON.parse(answer.text) as unknown, 'the body')
  } catch (error) {
    if (error instanceof CheckFailure) throw error
    throw new CheckFailure(`the body is no JSON: ${answer.text.slice(0, 80)}`)
  }
}

/** An answer that should have succeeded; says what came instead. */
export function ensureOk(answer: Answer): void {
  ensure(
    answer.status === 200,
    `status ${answer.status} instead of 200: ${answer.text.slice(0, 160)}`,
  )
}
