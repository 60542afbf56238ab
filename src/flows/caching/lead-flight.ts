// Makes the call that a flight is about, in the request that came first. It goes on as long as somebody waits for it, here
// or at another isolate; when nobody does, it ends as any call whose caller has left.
import { SseScanner } from '../../core/answering/sse.ts'
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import { AnswerRecorder } from '../../core/conversation/record-answer.ts'
import type { Services } from '../../ports.ts'
import type { FlightPiece } from '../../ports/answers.ts'
import { answerCall } from '../answer-call.ts'
import type { AskedAnswer } from './asked-answer.ts'
import type { Flight, FlightEnd } from './flight.ts'
import { failureOfAnswer, failureOfError } from './flight-failure.ts'
import { keptAnswerOf } from './keep-answer.ts'

export interface Leading {
  readonly asked: AskedAnswer
  readonly flight: Flight
  /** The newest invalidation when it began; null: not known, since the store cannot be asked. */
  readonly generation: number | null
  readonly cacheStatus: string
  /** Told where the answer is complete and good for others. */
  onKeepable(answer: KeptAnswer): void
  /** The store has it: no invalidation came in between. */
  onKept(answer: KeptAnswer): void
}

/** How often the store is told that the call goes on; and how often what it says, while another isolate listens. */
const BEAT_MS = 1_000
const TELL_MS = 150

/** Never rejects. Resolves when the flight has ended and the store has been told. */
export async function leadFlight(services: Services, leading: Leading): Promise<void> {
  const { flight, asked } = leading
  const stop = new AbortController()
  const beat = new Beat(services, leading, () => stop.abort())
  const { call } = asked
  const startedAt = services.now()
  let answer: KeptAnswer | null = null
  try {
    const response = await answerCall(services, {
      ...call,
      cacheStatus: leading.cacheStatus,
      scope: { ...call.scope, signal: stop.signal },
    })
    const end = await carry(response, flight)
    answer = isOrdinary(flight) ? keptOf(services, leading, { end, startedAt }) : null
    // Before those who wait are woken: who asks next finds it.
    if (answer !== null) leading.onKeepable(answer)
    flight.finish(end)
  } catch (error) {
    flight.thrown = error
    flight.finish({ kind: 'failed', failure: failureOfError(error) })
  }
  const isGood = await beat.land(answer)
  if (answer !== null && isGood) leading.onKept(answer)
}

/** The tier's cheaper model is no answer to the same question. */
const isOrdinary = ({ headers }: Flight): boolean => headers?.['sluice-reason'] === undefined

async function carry(response: Response, flight: Flight): Promise<FlightEnd> {
  flight.headers = Object.fromEntries(response.headers) as Record<string, string>
  if (response.status !== 200 || response.body === null) {
    return { kind: 'failed', failure: await failureOfAnswer(response) }
  }
  if (flight.headers['content-type']?.startsWith('text/event-stream') !== true) {
    return { kind: 'whole', body: new Uint8Array(await response.arrayBuffer()) }
  }
  const recording = new Recording()
  const reader = response.body.getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return { kind: 'ended', message: recording.message() }
    recording.push(value)
    flight.push(value)
  }
}

const decoder = new TextDecoder()

/** What a stream says, put together; what cannot be read whole is not. */
class Recording {
  readonly #recorder = new AnswerRecorder()
  #isReadable = true
  readonly #scanner = new SseScanner(({ type, data }) => {
    if (data === null) this.#isReadable = false
    if (!this.#isReadable || data === null) return
    try {
      this.#recorder.push(type, decoder.decode(data))
    } catch {
      this.#isReadable = false
    }
  })

  push(chunk: Uint8Array): void {
    this.#scanner.push(chunk)
  }

  message(): Uint8Array | null {
    const message = this.#isReadable ? this.#recorder.message() : null
    return message === null ? null : new TextEncoder().encode(message)
  }
}

function keptOf(
  { config, now }: Services,
  { asked, generation }: Leading,
  { end, startedAt }: { readonly end: FlightEnd; readonly startedAt: number },
): KeptAnswer | null {
  if (generation === null) return null
  const body = end.kind === 'whole' ? end.body : end.kind === 'ended' ? end.message : null
  if (body === null) return null
  const { marks, call, ask } = asked
  const made = { body, startedAt, endedAt: now(), generation, marks, model: call.model }
  return keptAnswerOf(made, ask, config.cache.maxBytes)
}

/** The maker's sign of life, here and for other isolates, with what they have not heard yet. */
class Beat {
  readonly #services: Services
  readonly #leading: Leading
  readonly #stop: () => void
  readonly #timer: ReturnType<typeof setInterval>
  #toldAt = 0
  #heardAt = -Infinity
  #told = 0
  #telling: Promise<void> = Promise.resolve()
  #isTelling = false

  constructor(services: Services, leading: Leading, stop: () => void) {
    this.#services = services
    this.#leading = leading
    this.#stop = stop
    this.#toldAt = services.now()
    this.#timer = setInterval(() => this.#beat(), TELL_MS)
    void this.#untilAbandoned()
  }

  async land(answer: KeptAnswer | null): Promise<boolean> {
    clearInterval(this.#timer)
    const { asked, flight } = this.#leading
    await this.#telling
    // Those who listen get the rest before the end.
    if (this.#told > 0 && this.#told < flight.pieces.length) await this.#tell()
    const name = { hash: asked.hash, token: flight.token }
    return this.#services.answers.land(name, answer, this.#lastWord(flight)).catch(() => false)
  }

  #lastWord({ end }: Flight): FlightPiece | null {
    if (end?.kind === 'failed') return { kind: 'failed', failure: JSON.stringify(end.failure) }
    if (end?.kind === 'ended') return this.#told > 0 ? { kind: 'end' } : null
    return end?.kind === 'whole' && this.#isHeard() ? { kind: 'whole', bytes: end.body } : null
  }

  #isHeard = (): boolean => this.#services.now() - this.#heardAt < BEAT_MS * 2

  #beat(): void {
    const { flight } = this.#leading
    const now = this.#services.now()
    flight.aliveAt = now
    const isDue = now - this.#toldAt >= BEAT_MS
    const hasMore = this.#isHeard() && this.#told < flight.pieces.length
    if (flight.isShared && !this.#isTelling && (isDue || hasMore)) this.#telling = this.#tell()
    if (flight.readers === 0 && flight.end === null && !this.#isHeard()) this.#stop()
  }

  /** Nobody here wants it: those elsewhere are asked for at once, not at the next beat. */
  async #untilAbandoned(): Promise<void> {
    const { flight } = this.#leading
    await flight.abandoned()
    if (flight.end !== null) return
    if (flight.isShared && !this.#isTelling) await (this.#telling = this.#tell())
    if (flight.readers === 0 && !this.#isHeard()) this.#stop()
    else if (flight.readers > 0) await this.#untilAbandoned()
  }

  async #tell(): Promise<void> {
    this.#isTelling = true
    this.#toldAt = this.#services.now()
    const { asked, flight } = this.#leading
    const fresh = this.#isHeard() || this.#told > 0 ? flight.pieces.slice(this.#told) : []
    const pieces = fresh.length === 0 ? [] : [{ kind: 'bytes' as const, bytes: joined(fresh) }]
    try {
      const name = { hash: asked.hash, token: flight.token }
      const { isHeard } = await this.#services.answers.tell(name, pieces)
      this.#told += fresh.length
      if (isHeard) this.#heardAt = this.#services.now()
    } catch {
      // Told again with the next beat; a store that is down has nobody who listens.
    }
    this.#isTelling = false
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.byteLength
  }
  return whole
}
