// Sends an answer piece by piece: at its pace, no faster than the caller reads, cut into slices where
// asked, and ended the way a fault says.
import { errorBody, ApiError } from './api-error.ts'
import type { Exchange } from './exchange.ts'
import type { EndingFault } from './faults.ts'

export interface Piece {
  /** A function is asked at the moment of sending. */
  data: string | Uint8Array | (() => string)
  /** Time to let pass before it is sent. */
  delayMs: number
  /** Whole events that end with this piece. */
  events: number
  tokens: number
}

export interface DeliveryOptions {
  produced?: ((tokens: number) => void) | undefined
  ending?: EndingFault | undefined
  /** The head says how long the body is. */
  hasLength?: boolean
}

/** An RST makes the reader lose what it has not read yet, so it gets this long to read. */
const RESET_DELAY_MS = 20

export class Delivery {
  #exchange: Exchange
  #pieces: Iterator<Piece>
  #hooks: DeliveryOptions
  #ending: EndingFault | undefined
  #held: Piece | undefined
  #dueAt: number
  #events = 0
  #hasLength: boolean

  constructor(exchange: Exchange, pieces: Iterable<Piece>, options: DeliveryOptions = {}) {
    this.#exchange = exchange
    this.#hooks = options
    this.#ending = options.ending
    this.#hasLength = options.hasLength ?? false
    this.#pieces = slices(pieces, exchange, this.#ending)[Symbol.iterator]()
    this.#dueAt = exchange.sim.wheel.now()
  }

  /** The head must have been written. */
  start(): void {
    const { faults, res, sim } = this.#exchange
    const waitMs = (faults.slowHeadersMs ?? 0) + (faults.slowBodyMs ?? 0)
    if (this.#ending !== undefined || waitMs > 0) res.flushHeaders()
    if (waitMs === 0) return this.#pump()
    this.#dueAt += waitMs
    sim.wheel.at(this.#dueAt, this.#pump)
  }

  #pump = (): void => {
    const exchange = this.#exchange
    for (;;) {
      if (exchange.finished) return
      const ending = this.#endingNow()
      if (ending !== undefined) return this.#end(ending)
      const piece = this.#held ?? this.#next()
      if (piece === undefined) return this.#complete()
      if (this.#held === undefined && piece.delayMs > 0 && this.#postpone(piece)) return
      this.#held = undefined
      if (!this.#send(piece)) {
        exchange.res.once('drain', this.#pump)
        return
      }
      if (exchange.faults.splitBytes !== undefined) return this.#later()
    }
  }

  #next(): Piece | undefined {
    const next = this.#pieces.next()
    return next.done === true ? undefined : next.value
  }

  #postpone(piece: Piece): boolean {
    const { wheel } = this.#exchange.sim
    this.#dueAt += piece.delayMs
    if (this.#dueAt <= wheel.now()) return false
    this.#held = piece
    wheel.at(this.#dueAt, this.#pump)
    return true
  }

  /** Slices go out apart, else the socket would join them again. */
  #later(): void {
    const { faults, sim } = this.#exchange
    if (faults.splitGapMs !== undefined) sim.wheel.after(faults.splitGapMs, this.#pump)
    else setImmediate(this.#pump)
  }

  #send(piece: Piece): boolean {
    const data = dataOf(piece)
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    this.#events += piece.events
    this.#exchange.sent(bytes, piece.events)
    if (piece.tokens > 0) this.#hooks.produced?.(piece.tokens)
    return this.#exchange.res.write(data)
  }

  #endingNow(): EndingFault | undefined {
    const ending = this.#ending
    if (ending === undefined) return undefined
    if (ending.afterBytes !== undefined) {
      return this.#exchange.entry.bytes >= ending.afterBytes ? ending : undefined
    }
    return this.#events >= (ending.afterEvents ?? 0) ? ending : undefined
  }

  #complete(): void {
    this.#exchange.res.end()
    this.#exchange.finish('completed')
  }

  #end(ending: EndingFault): void {
    const exchange = this.#exchange
    const { res, sim } = exchange
    this.#ending = undefined
    switch (ending.kind) {
      case 'stall':
        if (ending.resumeMs === undefined) return
        this.#dueAt = sim.wheel.now() + ending.resumeMs
        sim.wheel.at(this.#dueAt, this.#pump)
        return
      case 'error':
        this.#sendError(ending.errorType)
        res.end()
        exchange.finish('faulted')
        return
      case 'reset':
        sim.wheel.after(RESET_DELAY_MS, () => {
          res.socket?.resetAndDestroy()
          exchange.finish('faulted')
        })
        return
      case 'truncate':
        // With a length announced, only the closed connection can say that it is over.
        if (this.#hasLength) cut(exchange)
        else res.end()
        exchange.finish('faulted')
        return
      case 'cut':
        cut(exchange)
        exchange.finish('faulted')
    }
  }

  #sendError(type: string): void {
    const messages: Record<string, string> = { overloaded_error: 'Overloaded' }
    const error = new ApiError(500, messages[type] ?? 'Internal server error', { type })
    const body = errorBody(error, this.#exchange.entry.request_id)
    const data = `event: error\ndata: ${JSON.stringify(body)}\n\n`
    this.#exchange.sent(Buffer.byteLength(data), 1)
    this.#exchange.res.write(data)
  }
}

function dataOf(piece: Piece): string | Uint8Array {
  return typeof piece.data === 'function' ? piece.data() : piece.data
}

/** FIN without the last chunk. */
function cut(exchange: Exchange): void {
  exchange.res.socket?.destroySoon()
}

/** Pieces of a fixed number of bytes across the borders of events; a byte limit cuts exactly there. */
function slices(
  pieces: Iterable<Piece>,
  exchange: Exchange,
  ending: EndingFault | undefined,
): Iterable<Piece> {
  const { splitBytes } = exchange.faults
  const limited = ending?.afterBytes
  if (splitBytes === undefined && limited === undefined) return pieces
  return sliced(pieces, splitBytes ?? Number.POSITIVE_INFINITY, limited ?? 0)
}

function* sliced(pieces: Iterable<Piece>, size: number, limit: number): Generator<Piece> {
  let sent = 0
  for (const piece of pieces) {
    const data = dataOf(piece)
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    let at = 0
    while (at < bytes.length) {
      const untilLimit = sent < limit ? limit - sent : Number.POSITIVE_INFINITY
      const end = Math.min(bytes.length, at + size, at + untilLimit)
      const last = end === bytes.length
      yield {
        data: bytes.subarray(at, end),
        delayMs: at === 0 ? piece.delayMs : 0,
        events: last ? piece.events : 0,
        tokens: last ? piece.tokens : 0,
      }
      sent += end - at
      at = end
    }
  }
}
