// The whole gateway in this process, with gates in memory and an upstream that the test plays itself: for what the flows
// do with several accounts, whose order of events no network should blur.
import { randomBytes } from 'node:crypto'
import {
  memoryAccountGates,
  type MemoryAccountGates,
} from '../../src/adapters/memory/account-gates.ts'
import { memoryKeyStore } from '../../src/adapters/memory/key-store.ts'
import { memoryLedgers, type MemoryLedgers } from '../../src/adapters/memory/ledgers.ts'
import { memoryAnswerStore } from '../../src/adapters/memory/answer-store.ts'
import { memoryRequestLimits } from '../../src/adapters/memory/request-limits.ts'
import { createApp } from '../../src/app.ts'
import { parseConfig } from '../../src/config.ts'
import type { Account } from '../../src/core/answering/account.ts'
import { makeApiKey } from '../../src/core/keys/api-key.ts'
import type { Tier } from '../../src/core/money/tier.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'
import type {
  AccountGates,
  Caller,
  Ledgers,
  LogLine,
  Services,
  UpstreamCall,
} from '../../src/ports.ts'
import { callerWith } from './callers.ts'
import { MODEL } from './claude-call.ts'

const PEPPER = 'p'.repeat(32)

export interface Sent {
  readonly account: string
  readonly body: string
  readonly signal: AbortSignal
}

export interface HouseOptions {
  readonly accounts?: readonly Record<string, unknown>[]
  readonly settings?: Readonly<Record<string, string | number>>
  readonly tier?: Partial<Tier>
  readonly caller?: Partial<Caller>
  /** Plays Claude. */
  answer(sent: Sent): Response | Promise<Response>
  /** Stands before the gates. */
  gates?(gates: AccountGates): AccountGates
  /** Stands before the ledgers. */
  ledgers?(ledgers: Ledgers): Ledgers
  readonly random?: () => number
  readonly limits?: Services['limits']
  readonly answers?: Services['answers']
}

export interface House {
  readonly sent: Sent[]
  readonly logs: LogLine[]
  readonly gates: MemoryAccountGates
  readonly ledgers: MemoryLedgers
  /** As the directory gives them; a test may change it. */
  accounts: readonly Account[]
  ask(fields?: object, options?: { headers?: object; signal?: AbortSignal }): Promise<Response>
  inUse(account: string): number
  /** As the app declares them: `GET /v1/models/:id`. */
  readonly routes: readonly string[]
  /** Resolves once the work after the answers is done. */
  settled(): Promise<void>
  stop(): void
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { accounts = [{ id: 'alpha' }] } = options
  const config = parseConfig({
    ANTHROPIC_ACCOUNTS: JSON.stringify(
      accounts.map((account) => ({ api_key: 'sk-ant-sim-a', ...account })),
    ),
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: PEPPER,
    SLUICE_RETRY_BASE_MS: 1,
    SLUICE_RETRY_MAX_MS: 5,
    ...options.settings,
  })
  const random = options.random ?? Math.random
  const ledgers = memoryLedgers({ now: () => Date.now() })
  const gates = memoryAccountGates(config.gate, { now: () => Date.now(), random })
  const key = makeApiKey(randomBytes(64))
  const deferred: Promise<unknown>[] = []
  const sent: Sent[] = []
  const logs: LogLine[] = []
  const house: House = {
    sent,
    logs,
    gates,
    ledgers,
    accounts: config.accounts,
    ask: async (fields = {}, { headers = {}, signal } = {}) =>
      app.fetch(
        requestOf(key.text, fields, { headers, signal }),
        {},
        {
          waitUntil: (work: Promise<unknown>) => void deferred.push(work),
          passThroughOnException: () => {},
          props: {},
        },
      ),
    get routes() {
      return app.routes.map(({ method, path }) => `${method} ${path}`)
    },
    inUse: (id) => {
      const account = house.accounts.find((each) => each.id === id)
      if (account === undefined) throw new Error(`No account is called ${id}`)
      return gates.gateOf(account).leases.held.size
    },
    settled: async () => {
      while (deferred.length > 0) await Promise.all(deferred.splice(0))
    },
    stop: () => gates.stop(),
  }
  const caller = callerWith(
    { requestsPerMinute: null, requestsPerHour: null, ...options.tier },
    { keyId: key.id, ...options.caller },
  )
  // The ports that a call to Claude uses, and no others.
  const services = {
    config,
    accounts: {
      usable: () => house.accounts,
      refresh: async () => {},
      unusable: () => [],
    } as Partial<Services['accounts']> as Services['accounts'],
    keys: memoryKeyStore([
      {
        ...caller,
        secretHash: await createKeyHasher(PEPPER)(key.text),
        disabled: false,
        tenantDisabled: false,
        former: null,
        expiresAt: null,
      },
    ]),
    gates: options.gates?.(gates) ?? gates,
    ledgers: options.ledgers?.(ledgers) ?? ledgers,
    operations: gates,
    limits: options.limits ?? memoryRequestLimits({ now: () => Date.now() }),
    answers: options.answers ?? memoryAnswerStore({ now: () => Date.now() }),
    usage: { findUsage: () => Promise.reject(new Error('No call reads usage')) },
    admin: { open: () => Promise.reject(new Error('No call is for the admin plane')) as never },
    upstream: {
      send: (account, call) =>
        fetchLike(call.signal, options.answer(noteSent(sent, account, call))),
      reach: async () => {},
    },
    addressOf: () => null,
    now: () => Date.now(),
    random,
    log: (line) => void logs.push(line),
  } satisfies Partial<Services> as Partial<Services> as Services
  const app = createApp(services)
  return house
}

/** An abort ends what is waited for and what is read, as it does with `fetch`. */
async function fetchLike(
  signal: AbortSignal,
  answering: Response | Promise<Response>,
): Promise<Response> {
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('The call was aborted'))),
  )
  aborted.catch(() => {})
  const answer = await Promise.race([answering, aborted])
  if (answer.body === null) return answer
  return new Response(answer.body.pipeThrough(new TransformStream(), { signal }), answer)
}

function noteSent(sent: Sent[], account: Account, call: UpstreamCall): Sent {
  const body = call.body === null ? '' : new TextDecoder().decode(call.body)
  const noted = { account: account.id, body, signal: call.signal }
  sent.push(noted)
  return noted
}

const requestOf = (
  key: string,
  fields: object,
  { headers, signal }: { headers: object; signal: AbortSignal | undefined },
): Request =>
  new Request('https://sluice.example/v1/messages', {
    method: 'POST',
    headers: {
      'x-api-key': key,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({
      model: MODEL,
      max_tokens: 64,
      messages: [{ role: 'user', content: 'Hi' }],
      ...fields,
    }),
    ...(signal === undefined ? {} : { signal }),
  })

const json = (status: number, body: unknown, headers: HeadersInit = {}): Response =>
  Response.json(body, { status, headers })

export const message = (headers: HeadersInit = {}): Response =>
  json(
    200,
    { type: 'message', model: MODEL, usage: { input_tokens: 3, output_tokens: 5 } },
    headers,
  )

export const claudeError = (status: number, type: string, headers: HeadersInit = {}): Response =>
  json(status, { type: 'error', error: { type, message: `Claude says ${type}` } }, headers)

export const overloaded = (): Response => claudeError(529, 'overloaded_error')

const events = [
  ['message_start', { message: { model: MODEL, usage: { input_tokens: 3, output_tokens: 1 } } }],
  ['content_block_start', { index: 0, content_block: { type: 'text', text: '' } }],
  ['content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'Hello' } }],
  ['message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } }],
  ['message_stop', {}],
] as const

const eventText = ([type, data]: readonly [string, object]): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

/** A stream of Claude's; with `until`, its end comes only when that resolves. */
export function stream(until: Promise<unknown> = Promise.resolve()): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    start: async (controller) => {
      for (const event of events.slice(0, 3)) controller.enqueue(encoder.encode(eventText(event)))
      await until
      try {
        for (const event of events.slice(3)) controller.enqueue(encoder.encode(eventText(event)))
        controller.close()
      } catch {
        // Nobody reads it any more.
      }
    },
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

/** Opened once: what a test holds back until it has seen enough. */
export function latch(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: () => resolve() }
}
