// One keep-alive connection that sends a request, reads its answer with as little work as may be, and says what it
// saw and when. Stamped deltas are read out of the raw bytes.
import { connect, type Socket } from 'node:net'
import { nowUs, readStamp, STAMP_DIGITS, STAMP_MARK } from '../clock.ts'

export interface Answer {
  readonly status: number
  readonly sentUs: number
  readonly firstByteUs: number
  readonly endUs: number
  readonly deltas: number
}

export interface ConnectionEvents {
  onAnswer(answer: Answer): void
  /** A delta's way from the upstream's write to here. */
  onDelta?(lagUs: number): void
  /** The connection ended in the middle of an answer. */
  onCut?(): void
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const NOTHING = Buffer.alloc(0)

export class Connection {
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  #pending: Buffer = NOTHING
  #isHead = true
  /** -1: chunked. */
  #left = 0
  #status = 0
  #sentUs = 0
  #firstByteUs = 0
  #deltas = 0
  #isBusy = false
  /** The end of the last part, where a stamp or the last chunk may have been cut. */
  #tail: Buffer = NOTHING

  constructor(port: number, events: ConnectionEvents) {
    this.#events = events
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('close', () => this.#isBusy && this.#events.onCut?.())
  }

  get isBusy(): boolean {
    return this.#isBusy
  }

  send(request: Buffer): void {
    this.#isBusy = true
    this.#isHead = true
    this.#firstByteUs = 0
    this.#deltas = 0
    this.#tail = NOTHING
    this.#sentUs = nowUs()
    this.#socket.write(request)
  }

  /** As a closed tab does (a close), or a killed process or a lost route (a reset). */
  leave(way: 'close' | 'reset' = 'close'): void {
    this.#isBusy = false
    if (way === 'reset') this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    const us = nowUs()
    if (this.#firstByteUs === 0) this.#firstByteUs = us
    if (!this.#isHead) return this.#readBody(chunk, us)
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const headEnd = bytes.indexOf(HEAD_END)
    if (headEnd < 0) {
      this.#pending = bytes
      return
    }
    this.#pending = NOTHING
    this.#isHead = false
    const head = bytes.toString('latin1', 0, headEnd)
    this.#status = Number(head.slice(9, 12))
    const length = /\ncontent-length: *(\d+)/i.exec(head)
    this.#left = length === null ? -1 : Number(length[1])
    this.#readBody(bytes.subarray(headEnd + HEAD_END.length), us)
  }

  #readBody(part: Buffer, us: number): void {
    if (this.#left >= 0) {
      this.#left -= part.length
      if (this.#left <= 0) this.#finish(us)
      return
    }
    const bytes = this.#tail.length === 0 ? part : Buffer.concat([this.#tail, part])
    const readTo = this.#readStamps(bytes, us)
    if (endsWithLastChunk(bytes)) return this.#finish(us)
    this.#tail = bytes.subarray(Math.max(readTo, bytes.length - STAMP_DIGITS))
  }

  /** Up to where the bytes need not be looked at again. */
  #readStamps(bytes: Buffer, us: number): number {
    let readTo = 0
    for (;;) {
      const at = bytes.indexOf(STAMP_MARK, readTo)
      if (at < 0 || at + STAMP_DIGITS >= bytes.length) return readTo
      this.#deltas += 1
      this.#events.onDelta?.(us - readStamp(bytes, at + 1))
      readTo = at + 1 + STAMP_DIGITS
    }
  }

  #finish(us: number): void {
    this.#isBusy = false
    this.#events.onAnswer({
      status: this.#status,
      sentUs: this.#sentUs,
      firstByteUs: this.#firstByteUs,
      endUs: us,
      deltas: this.#deltas,
    })
  }
}

/** A payload here never ends so: no canned event holds a CR. */
const endsWithLastChunk = (bytes: Buffer): boolean =>
  bytes.length >= LAST_CHUNK.length &&
  bytes.compare(LAST_CHUNK, 0, LAST_CHUNK.length, bytes.length - LAST_CHUNK.length) === 0
