// One attempt: sends the call with one account's credential and waits for the first thing that decides: the whole
// answer, or a stream's first event. Nothing of it has reached the caller yet.
import type { Services } from '../ports.ts'
import type { Held } from './ask-gate.ts'
import type { Call } from './call.ts'
import { type Meter, openMeter } from './meter.ts'
import { concat } from './read-body.ts'
import { contentTypeOf, readAnswer, type UpstreamAnswer } from './upstream-answer.ts'
import { type BreakCause, type Interruption, Watch } from './watch.ts'

export type Attempt =
  | {
      readonly kind: 'stream'
      readonly answer: UpstreamAnswer
      readonly stream: OpenStream
    }
  | {
      readonly kind: 'whole'
      readonly answer: UpstreamAnswer
      readonly body: Uint8Array
      /** True: read as far as was needed, and cut. */
      readonly severed: boolean
    }
  | {
      readonly kind: 'broken'
      readonly cause: BreakCause
      readonly error: unknown
      readonly meter: Meter | null
      /** True: we cut the connection, not Claude. */
      readonly severed: boolean
    }
  | { readonly kind: 'caller_gone'; readonly meter: Meter | null }

/** A stream whose first event has come, and what was read of it so far. */
export interface OpenStream {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>
  readonly head: readonly Uint8Array[]
  readonly meter: Meter
  readonly watch: Watch
}

export async function sendAttempt(services: Services, call: Call, held: Held): Promise<Attempt> {
  const watch = watchCall(services, call, held)
  try {
    const response = await services.upstream.send(held.account, {
      method: call.method,
      target: call.target,
      headers: call.headers,
      body: call.body,
      signal: watch.signal,
    })
    const answer = readAnswer(response)
    if (isEventStream(answer) && response.body !== null) {
      return await openStream(call, answer, response.body.getReader(), watch)
    }
    const body = await readWhole(response, answer, watch)
    watch.stop()
    return { kind: 'whole', answer, body, severed: false }
  } catch (error) {
    watch.stop()
    return brokenBy(watch.interruption, error, null)
  }
}

/** Reads until the first event is complete; a stream that ends before it has broken. */
async function openStream(
  call: Call,
  answer: UpstreamAnswer,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  watch: Watch,
): Promise<Attempt> {
  const meter = openMeter(call.kind)
  watch.tellOutput(() => meter.usage()?.outputTokens ?? 0)
  call.tab?.follow(meter)
  const head: Uint8Array[] = []
  try {
    while (meter.events === 0) {
      const { value, done } = await reader.read()
      if (done) {
        watch.stop()
        const error = new Error('The stream had no event')
        return { kind: 'broken', cause: 'cut', error, meter, severed: false }
      }
      watch.touch()
      head.push(value)
      meter.push(value)
    }
    return { kind: 'stream', answer, stream: { reader, head, meter, watch } }
  } catch (error) {
    watch.stop()
    return brokenBy(watch.interruption, error, meter)
  }
}

/** An answer of this length comes at once or not at all: it need not be read by the chunk. */
const SHORT_BYTES = 256 * 1024

async function readWhole(
  response: Response,
  { headers }: UpstreamAnswer,
  watch: Watch,
): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0)
  const length = headers.get('content-length')
  if (length !== undefined && Number(length) <= SHORT_BYTES) {
    // From here on the idle deadline bounds all of it.
    watch.touch()
    return new Uint8Array(await response.arrayBuffer())
  }
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return concat(chunks, size)
    watch.touch()
    size += value.byteLength
    chunks.push(value)
  }
}

function brokenBy(interruption: Interruption | null, error: unknown, meter: Meter | null): Attempt {
  if (interruption === 'caller_gone') return { kind: 'caller_gone', meter }
  const severed = interruption !== null
  return { kind: 'broken', cause: interruption ?? 'connection', error, meter, severed }
}

const isEventStream = (answer: UpstreamAnswer): boolean =>
  answer.status === 200 && contentTypeOf(answer).startsWith('text/event-stream')

function watchCall(services: Services, call: Call, held: Held): Watch {
  const { upstream, gate } = services.config
  return new Watch({
    settings: { ...upstream, leaseTtlMs: gate.leaseTtlMs, leaseRenewMs: gate.leaseRenewMs },
    callerSignal: call.scope.signal,
    leaseExpiresAt: held.lease.expiresAt,
    now: services.now,
    waits: call.scope.waits,
    reach: (signal) => services.upstream.reach(held.account, signal),
    renew: (progress) => {
      const renewing = services.gates.renew(held.account, held.lease, progress)
      void call.tab?.renew()
      call.scope.defer(renewing)
      return renewing
    },
  })
}
