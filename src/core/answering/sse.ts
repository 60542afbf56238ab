// Server-sent events (WHATWG HTML, section 9.2) out of byte chunks that are cut anywhere. It only looks: the bytes go
// on as they came. Memory is bounded: an event above its limit is told of, without its data.
import { ByteBuffer } from './byte-buffer.ts'
import { decodeUtf8 } from './utf8.ts'

export interface SseEvent {
  /** Empty where the event names none. */
  readonly type: string
  /** The data lines, joined by newlines, to be read at once; null where they were larger than is worth reading. */
  readonly data: Uint8Array | null
}

/** Larger events pass like any other, but are not kept to be read. */
export const MAX_EVENT_BYTES = 8 * 1024 * 1024

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const SPACE = 0x20
const MAX_TYPE_BYTES = 128
const BOM = [0xef, 0xbb, 0xbf]
const NOTHING = new Uint8Array(0)
const NEWLINE = Uint8Array.of(LF)

export class SseScanner {
  readonly #onEvent: (event: SseEvent) => void
  readonly #maxEventBytes: number
  /** The beginning of a line whose end has not come. */
  readonly #line = new ByteBuffer()
  #lineIsDropped = false
  #isFirstLine = true
  /** A CR ended the last chunk: an LF that begins the next one belongs to it. */
  #skipsLf = false
  #type = ''
  #lastName: Uint8Array = NOTHING
  #lastType = ''
  /** A lone data line is looked at in place; more lines, or one that outlives its chunk, are kept here. */
  readonly #kept = new ByteBuffer()
  #inPlace: Uint8Array | null = null
  #dataLines = 0
  #isOversize = false
  #atBoundary = true

  constructor(onEvent: (event: SseEvent) => void, maxEventBytes = MAX_EVENT_BYTES) {
    this.#onEvent = onEvent
    this.#maxEventBytes = maxEventBytes
  }

  /** True: every event that began is complete, so that a comment may be put in here. */
  get atBoundary(): boolean {
    return this.#atBoundary
  }

  push(chunk: Uint8Array): void {
    const hasCr = chunk.includes(CR)
    let at = 0
    if (chunk.length > 0 && this.#skipsLf) {
      if (chunk[0] === LF) at = 1
      this.#skipsLf = false
    }
    while (at < chunk.length) {
      const end = hasCr ? lineEnd(chunk, at) : chunk.indexOf(LF, at)
      if (end < 0) {
        this.#keepLine(chunk.subarray(at))
        break
      }
      this.#endLine(chunk, at, end)
      at = end + 1
      if (chunk[end] === CR) {
        if (at === chunk.length) this.#skipsLf = true
        else if (chunk[at] === LF) at += 1
      }
    }
    this.#keepData()
  }

  #keepLine(part: Uint8Array): void {
    this.#atBoundary = false
    if (this.#lineIsDropped) return
    const isComment = (this.#line.first ?? part[0]) === COLON
    if (this.#line.length + this.#kept.length + part.length > this.#maxEventBytes) {
      this.#lineIsDropped = true
      this.#line.clear()
      if (!isComment) this.#drop()
    } else this.#line.append(part)
  }

  #endLine(chunk: Uint8Array, start: number, end: number): void {
    if (this.#lineIsDropped) {
      this.#lineIsDropped = false
      this.#isFirstLine = false
    } else if (this.#line.length === 0) this.#readLine(chunk, start, end)
    else {
      this.#line.append(chunk.subarray(start, end))
      const line = this.#line.take()
      this.#readLine(line, 0, line.length)
    }
  }

  #readLine(bytes: Uint8Array, from: number, end: number): void {
    let start = from
    if (this.#isFirstLine) {
      this.#isFirstLine = false
      if (BOM.every((byte, at) => start + at < end && bytes[start + at] === byte)) start += 3
    }
    if (start === end) return this.#dispatch()
    this.#atBoundary = false
    if (isField(bytes, start, end, 'data')) this.#addData(valueOf(bytes, start + 4, end))
    else if (isField(bytes, start, end, 'event'))
      this.#readType(valueOf(bytes, start + 5, end).subarray(0, MAX_TYPE_BYTES))
  }

  /** Nearly every event has the type of the one before it: then its text need not be made again. */
  #readType(name: Uint8Array): void {
    const last = this.#lastName
    const isSame = name.length === last.length && name.every((byte, at) => byte === last[at])
    if (!isSame) {
      this.#lastName = name.slice()
      this.#lastType = decodeUtf8(name)
    }
    this.#type = this.#lastType
  }

  #addData(value: Uint8Array): void {
    this.#dataLines += 1
    if (this.#isOversize) return
    if (this.#kept.length + value.length >= this.#maxEventBytes) return this.#drop()
    if (this.#dataLines === 1) this.#inPlace = value
    else {
      this.#keepData()
      this.#kept.append(NEWLINE)
      this.#kept.append(value)
    }
  }

  #keepData(): void {
    if (this.#inPlace !== null) this.#kept.append(this.#inPlace)
    this.#inPlace = null
  }

  #drop(): void {
    this.#isOversize = true
    this.#inPlace = null
    this.#kept.clear()
  }

  #dispatch(): void {
    if (this.#dataLines > 0 || this.#isOversize) {
      const data = this.#isOversize ? null : (this.#inPlace ?? this.#kept.take())
      this.#onEvent({ type: this.#type, data })
    }
    this.#type = ''
    this.#inPlace = null
    this.#kept.clear()
    this.#dataLines = 0
    this.#isOversize = false
    this.#atBoundary = true
  }
}

/** Where the line from `start` ends: at its LF or CR; -1: not in this chunk. */
function lineEnd(chunk: Uint8Array, start: number): number {
  for (let at = start; at < chunk.length; at += 1)
    if (chunk[at] === LF || chunk[at] === CR) return at
  return -1
}

/** A field's name ends at a colon or with its line; a comment has none, since its colon comes first. */
const isField = (bytes: Uint8Array, start: number, end: number, name: string): boolean => {
  const nameEnd = start + name.length
  if (nameEnd > end || (nameEnd < end && bytes[nameEnd] !== COLON)) return false
  for (let at = 0; at < name.length; at += 1)
    if (bytes[start + at] !== name.charCodeAt(at)) return false
  return true
}

/** What follows the colon, less one space; nothing where there is no colon. */
const valueOf = (bytes: Uint8Array, colon: number, end: number): Uint8Array => {
  if (colon >= end) return NOTHING
  return bytes.subarray(bytes[colon + 1] === SPACE && colon + 1 < end ? colon + 2 : colon + 1, end)
}
