// Finds the events of a stream in chunks that are split anywhere (WHATWG HTML, section 9.2.6), without touching the
// bytes that pass. Knows whether the stream stands between two events: only there a comment may be put in.

export interface SseEvent {
  /** Empty where the event names none. */
  readonly type: string
  /** The data lines, joined by newlines; null where they were larger than is worth parsing. */
  readonly data: Uint8Array | null
}

/** Larger events pass like any other, but are not kept to be read. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024

const LF = 10
const CR = 13
const SPACE = 32

export class SseScanner {
  readonly #onEvent: (event: SseEvent) => void
  /** The start of a line whose end has not come. */
  #partial: Uint8Array[] = []
  #partialBytes = 0
  #type = ''
  #data: Uint8Array[] = []
  #eventBytes = 0
  #lines = 0
  #endsInCr = false

  constructor(onEvent: (event: SseEvent) => void) {
    this.#onEvent = onEvent
  }

  /** Nothing of an event has come that is not complete. */
  get atBoundary(): boolean {
    return this.#lines === 0 && this.#partialBytes === 0 && !this.#endsInCr
  }

  push(chunk: Uint8Array): void {
    let start = 0
    if (this.#endsInCr && chunk.length > 0) {
      // A CR ended the last chunk and its line: an LF here belongs to it.
      this.#endsInCr = false
      if (chunk[0] === LF) start = 1
    }
    for (;;) {
      const end = findLineEnd(chunk, start)
      if (end < 0) break
      this.#takeLine(chunk.subarray(start, end))
      start = end + 1
      if (chunk[end] !== CR) continue
      if (start === chunk.length) this.#endsInCr = true
      else if (chunk[start] === LF) start += 1
    }
    if (start < chunk.length) this.#keepPartial(chunk.subarray(start))
  }

  #keepPartial(rest: Uint8Array): void {
    this.#partialBytes += rest.length
    if (this.#partialBytes <= MAX_EVENT_BYTES) this.#partial.push(rest)
    else this.#partial = []
  }

  #takeLine(rest: Uint8Array): void {
    const size = this.#partialBytes + rest.length
    if (size === 0) return this.#dispatch()
    this.#lines += 1
    this.#eventBytes += size
    if (this.#eventBytes <= MAX_EVENT_BYTES) {
      const line = this.#partialBytes === 0 ? rest : join([...this.#partial, rest], size)
      this.#readLine(line)
    } else this.#data = []
    this.#partial = []
    this.#partialBytes = 0
  }

  #readLine(line: Uint8Array): void {
    if (startsWith(line, 'data:')) this.#data.push(valueOf(line, 5))
    else if (startsWith(line, 'event:')) this.#type = ascii(valueOf(line, 6))
  }

  #dispatch(): void {
    const { length } = this.#data
    const isTooLarge = this.#eventBytes > MAX_EVENT_BYTES
    if (length > 0 || isTooLarge) {
      this.#onEvent({ type: this.#type, data: isTooLarge ? null : joinLines(this.#data) })
    }
    this.#type = ''
    this.#data = []
    this.#eventBytes = 0
    this.#lines = 0
  }
}

function findLineEnd(chunk: Uint8Array, from: number): number {
  const lf = chunk.indexOf(LF, from)
  const line = lf < 0 ? chunk.subarray(from) : chunk.subarray(from, lf)
  const cr = line.indexOf(CR)
  return cr < 0 ? lf : from + cr
}

function startsWith(line: Uint8Array, name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    if (line[i] !== name.charCodeAt(i)) return false
  }
  return true
}

/** After the colon, less one space. */
const valueOf = (line: Uint8Array, from: number): Uint8Array =>
  line.subarray(line[from] === SPACE ? from + 1 : from)

const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes.subarray(0, 64))

function joinLines(lines: readonly Uint8Array[]): Uint8Array {
  const [only] = lines
  if (lines.length === 1 && only !== undefined) return only
  const newline = new Uint8Array([LF])
  const parts = lines.flatMap((line, index) => (index === 0 ? [line] : [newline, line]))
  return join(
    parts,
    parts.reduce((sum, part) => sum + part.length, 0),
  )
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
