// The flows of a call without HTTP and without waiting: gates in memory, and a Claude that a test answers for, so that
// every attempt can be counted and every moment chosen.
import {
  memoryAccountGates,
  type MemoryAccountGates,
} from '../../src/adapters/memory/account-gates.ts'
import { parseConfig } from '../../src/config.ts'
import type { Account } from '../../src/core/answering/account.ts'
import { answerCall } from '../../src/flows/answer-call.ts'
import { newTiming, type Call } from '../../src/flows/call.ts'
import { Deadlines } from '../../src/flows/deadlines.ts'
import type { AccountGates, LimitDecision, Services, UpstreamCall } from '../../src/ports.ts'
import { accountList, type TestAccount } from './accounts.ts'
import { callerWith } from './callers.ts'

export interface UpstreamAttempt {
  readonly account: string
  readonly at: number
  readonly signal: AbortSignal
}

export interface FlowWorld {
  readonly accounts: readonly Account[]
  readonly gates: MemoryAccountGates
  /** What reached Claude, in order. */
  readonly attempts: UpstreamAttempt[]
  /** One call of a caller. */
  ask(change?: Partial<Call>, callerSignal?: AbortSignal): Promise<Response>
  /** How many requests were given back to the tenant's windows. */
  refunds(): number
  /** Everything that was kept alive after the answers. */
  settled(): Promise<void>
}

export interface FlowWorldOptions {
  readonly accounts?: readonly TestAccount[]
  readonly settings?: Readonly<Record<string, string | number>>
  readonly random?: () => number
  /** Claude: the nth attempt counts from 1. */
  answer(attempt: UpstreamAttempt, nth: number): Response | Promise<Response>
  /** What the tenant's request windows say; they always have room otherwise. */
  readonly take?: () => Promise<LimitDecision>
  /** What stands between the flows and the gates. */
  around?(gates: AccountGates): AccountGates
}

export function flowWorld(options: FlowWorldOptions): FlowWorld {
  const { accounts: named = [{ id: 'alpha' }], settings = {}, random = () => 0.5 } = options
  const config = parseConfig({
    ANTHROPIC_ACCOUNTS: accountList(...named),
    ADMIN_TOKEN: 'a'.repeat(32),
    KEY_PEPPER: 'p'.repeat(32),
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
  })
  const now = (): number => Date.now()
  const gates = memoryAccountGates(config.gate, { now, random })
  const attempts: UpstreamAttempt[] = []
  let refunds = 0
  const deferred: Promise<unknown>[] = []
  const send = async (account: Account, { signal }: UpstreamCall): Promise<Response> => {
    const attempt = { account: account.id, at: now(), signal }
    attempts.push(attempt)
    return options.answer(attempt, attempts.length)
  }
  // The flows of a call read nothing else.
  const known: Partial<Services> = {
    config,
    accounts: { usable: () => config.accounts, refresh: async () => {} },
    gates: options.around?.(gates) ?? gates,
    limits: {
      take: options.take ?? (async () => ({ kind: 'allowed', windows: [], degraded: false })),
      refund: async () => {
        refunds += 1
      },
      peek: async () => [],
      recall: () => null,
      ping: async () => {},
    },
    upstream: { send, reach: async () => {} },
    now,
    random,
    log: () => {},
  }
  const services = known as Services
  let asked = 0
  return {
    accounts: config.accounts,
    gates,
    attempts,
    ask: (change = {}, callerSignal = new AbortController().signal) => {
      asked += 1
      const defer = (work: Promise<unknown>): void => void deferred.push(work)
      return answerCall(services, { ...aCall(asked, callerSignal, defer), ...change })
    },
    refunds: () => refunds,
    settled: async () => {
      for (let done = 0; done < deferred.length; done += 1) await deferred[done]
    },
  }
}

const aCall = (
  number: number,
  signal: AbortSignal,
  defer: (work: Promise<unknown>) => void,
): Call => ({
  kind: 'messages',
  scope: {
    requestId: `req_${number}`,
    traceId: '0'.repeat(32),
    startedAt: Date.now(),
    address: null,
    queue: { asked: 0, places: [] },
    signal,
    defer,
    waits: new Deadlines(() => Date.now()),
    timing: newTiming(),
  },
  caller: callerWith({}),
  method: 'POST',
  target: '/v1/messages',
  headers: {},
  body: new Uint8Array(0),
  model: 'claude-sonnet-5-5',
  estimatedInputTokens: 10,
  usesThread: false,
  user: '',
  lane: 'normal',
  maxWaitMs: 0,
  affinity: null,
  lastAccount: null,
  isClientRetry: false,
  prompt: null,
  modelSpan: null,
  markers: null,
  promptCache: null,
  isStream: false,
  maxTokens: null,
  tab: null,
  limits: null,
})

const JSON_TYPE = { 'content-type': 'application/json' }

export const served = (): Response =>
  new Response(JSON.stringify({ type: 'message', usage: { input_tokens: 10, output_tokens: 5 } }), {
    headers: JSON_TYPE,
  })

export const claudeError = (
  status: number,
  type: string,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(JSON.stringify({ type: 'error', error: { type, message: type } }), {
    status,
    headers: { ...JSON_TYPE, ...headers },
  })

/** Hangs until the gateway cuts the connection. */
export const hangs = ({ signal }: UpstreamAttempt): Promise<Response> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('cut')))
  })

const START = { type: 'message_start', message: { usage: { input_tokens: 10, output_tokens: 1 } } }
const DELTA = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } }

/** The first events of a stream, and then whatever becomes of it; of an attempt: silence until it is cut. */
export function streamed(
  events: readonly { readonly type: string }[],
  then: 'ends' | 'breaks' | UpstreamAttempt,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const encoder = new TextEncoder()
  const left = [...events]
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const event = left.shift()
        if (event !== undefined) {
          const text = `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
          controller.enqueue(encoder.encode(text))
        } else if (then === 'ends') controller.close()
        else if (then === 'breaks') controller.error(new Error('reset'))
        else return hangs(then).then(() => {})
      },
    },
    { highWaterMark: 0 },
  )
  return new Response(body, { headers: { 'content-type': 'text/event-stream', ...headers } })
}

export const begun = [START, DELTA]
