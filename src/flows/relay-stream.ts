// Passes a stream's bytes on untouched, once each through JavaScript, while the meter counts them. Ends exactly
// once, and tells how: complete, broken (said as `event: error`, never a silent end), or left by its caller.
import { errorEvent, GatewayError } from '../core/errors.ts'
import type { OpenStream } from './send-attempt.ts'
import type { Spending } from './spending.ts'
import type { BreakCause, Interruption } from './watch.ts'

export type StreamEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'broken'; readonly cause: BreakCause }
  /** Its tenant's money is used up. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'caller_gone' }

/** A comment by the SSE standard: clients ignore it, proxies see bytes. */
const COMMENT = new TextEncoder().encode(': waiting for Claude\n\n')

/** What is written comes out untouched at its other end, which goes to the caller. */
export interface Pipe {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
}

export interface RelayOptions {
  readonly requestId: string
  readonly pipe: Pipe
  /** Null: nothing bounds what it may cost. */
  readonly spending: Spending | null
  onEnd(end: StreamEnd): void
}

/** Resolves when the last byte is handed over, or nobody wants it. Never rejects. */
export const relayStream = (stream: OpenStream, options: RelayOptions): Promise<void> =>
  new Relay(stream, options).run()

class Relay {
  readonly #stream: OpenStream
  readonly #options: RelayOptions
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  #hasEnded = false
  /** What was written last and is not taken yet; null: the caller waits for more. */
  #writing: Promise<void> | null = null

  constructor(stream: OpenStream, options: RelayOptions) {
    this.#stream = stream
    this.#options = options
    this.#writer = options.pipe.writable.getWriter()
    this.#writer.closed.catch(this.#leave)
    stream.watch.tellSilence(() => {
      // Only where a caller waits for bytes, and never inside an event.
      if (this.#writing === null && !this.#hasEnded && stream.meter.atBoundary) this.#write(COMMENT)
    })
  }

  async run(): Promise<void> {
    const { head, reader, meter, watch } = this.#stream
    const { spending } = this.#options
    try {
      for (const chunk of head) {
        this.#write(chunk)
        await this.#writing
      }
      for (;;) {
        if (spending?.isDue === true && !(await this.#mayGoOn(spending))) return
        const { value, done } = await reader.read()
        if (done) break
        watch.touch()
        meter.push(value)
        // One is on its way at most: a caller that reads slowly slows Claude down.
        if (this.#writing !== null) await this.#writing
        if (this.#hasEnded) return
        this.#write(value)
      }
      await this.#finish(null)
    } catch {
      await this.#finish(watch.interruption)
    }
  }

  /** What has been produced is paid for, and has been passed on. */
  async #mayGoOn(spending: Spending): Promise<boolean> {
    const refusal = await spending.look()
    if (this.#hasEnded) return false
    if (refusal === null) return true
    const { watch, reader } = this.#stream
    watch.interrupt('budget_spent')
    reader.cancel().catch(() => {})
    await this.#say({ kind: 'stopped' }, refusal)
    return false
  }

  #write(chunk: Uint8Array): void {
    const writing = this.#writer.write(chunk).then(() => {
      if (this.#writing === writing) this.#writing = null
    }, this.#leave)
    this.#writing = writing
  }

  /** Nothing more comes from Claude. */
  async #finish(interruption: Interruption | null): Promise<void> {
    if (this.#hasEnded) return
    const { meter } = this.#stream
    if (interruption === 'caller_gone') return this.#leave()
    // Claude may have said itself what went wrong; its bytes have been passed on.
    if (meter.errorType !== null) this.#end({ kind: 'broken', cause: 'error_event' })
    else if (meter.isComplete) this.#end({ kind: 'complete' })
    else {
      const cause = interruption ?? 'cut'
      return this.#say({ kind: 'broken', cause }, midStreamError(cause))
    }
    await this.#writer.close().catch(() => {})
  }

  async #say(end: StreamEnd, error: GatewayError): Promise<void> {
    const event = errorEvent(error, this.#options.requestId, this.#stream.meter.atBoundary)
    this.#end(end)
    this.#write(new TextEncoder().encode(event))
    await this.#writer.close().catch(() => {})
  }

  readonly #leave = (): void => {
    const { meter, watch, reader } = this.#stream
    watch.interrupt('caller_gone')
    this.#end(meter.isComplete ? { kind: 'complete' } : { kind: 'caller_gone' })
    reader.cancel().catch(() => {})
    this.#writer.abort(new Error('The caller is gone')).catch(() => {})
  }

  #end(result: StreamEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#stream.watch.stop()
    this.#options.onEnd(result)
  }
}

/** Said where a call must end because its account's gate did not confirm its slot in time. */
export const LEASE_LOST = "The account's gate cannot be reached, and the slot of this call is over"

function midStreamError(cause: BreakCause): GatewayError {
  if (cause === 'lease_lost') return new GatewayError('gate_unavailable', LEASE_LOST)
  if (cause.endsWith('_timeout')) {
    const what = cause === 'total_timeout' ? 'took longer than allowed' : 'fell silent'
    return new GatewayError('upstream_timeout', `Claude's stream ${what}`)
  }
  return new GatewayError('upstream_reset', "Claude's stream was cut before its end")
}
