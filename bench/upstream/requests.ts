// Cuts requests out of a connection's bytes, with as little work as may be: this server must never be what is
// measured. One request at a time on each connection, as every client here sends them.

/** Of a request, the head and this much of its body are kept, for the few words that are looked for in them. */
const KEPT_BYTES = 16_384

const HEAD_END = Buffer.from('\r\n\r\n')
const LAST_CHUNK = Buffer.from('0\r\n\r\n')
const NOTHING = Buffer.alloc(0)

export class RequestReader {
  readonly #onRequest: (start: Buffer) => void
  #pending: Buffer | null = null
  #start: Buffer | null = null
  /** Bytes of the body that are still to come; -1: it is chunked. */
  #left = 0
  #tail = NOTHING

  constructor(onRequest: (start: Buffer) => void) {
    this.#onRequest = onRequest
  }

  push(chunk: Buffer): void {
    if (this.#start !== null) {
      if (this.#start.length < KEPT_BYTES) this.#start = Buffer.concat([this.#start, chunk])
      return this.#skipBody(chunk)
    }
    const bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    const headEnd = bytes.indexOf(HEAD_END)
    if (headEnd < 0) {
      this.#pending = bytes
      return
    }
    this.#pending = null
    const head = bytes.toString('latin1', 0, headEnd)
    const length = /\ncontent-length: *(\d+)/i.exec(head)
    this.#left = length === null ? (/\ntransfer-encoding:/i.test(head) ? -1 : 0) : Number(length[1])
    this.#start = bytes
    this.#skipBody(bytes.subarray(headEnd + HEAD_END.length))
  }

  #skipBody(part: Buffer): void {
    if (this.#left >= 0) {
      this.#left -= part.length
      if (this.#left <= 0) this.#finish()
      return
    }
    this.#tail = Buffer.concat([this.#tail, part]).subarray(-LAST_CHUNK.length)
    if (this.#tail.equals(LAST_CHUNK)) this.#finish()
  }

  #finish(): void {
    const start = this.#start
    this.#start = null
    this.#left = 0
    this.#tail = NOTHING
    if (start !== null) this.#onRequest(start)
  }
}
