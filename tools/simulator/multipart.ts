// Reads multipart/form-data as it arrives, so that an upload of any size needs no memory of its size.
export interface PartHead {
  name: string
  filename: string | null
  contentType: string | null
}

export interface PartListener {
  head(head: PartHead): void
  data(bytes: Buffer): void
  end(): void
}

const HEAD_END = Buffer.from('\r\n\r\n')
const MAX_HEAD_BYTES = 16_384

export class MultipartReader {
  #delimiter: Buffer
  #listener: PartListener
  // A line break in front lets the first delimiter look like the others.
  #held: Buffer = Buffer.from('\r\n')
  #state: 'delimiter' | 'head' | 'data' | 'done' = 'delimiter'

  constructor(boundary: string, listener: PartListener) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    this.#listener = listener
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Throws on a form that cannot be read. */
  push(chunk: Buffer): void {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (this.#step());
  }

  #step(): boolean {
    switch (this.#state) {
      case 'delimiter':
        return this.#readDelimiter()
      case 'head':
        return this.#readHead()
      case 'data':
        return this.#readData()
      case 'done':
        this.#held = Buffer.alloc(0)
        return false
    }
  }

  #readDelimiter(): boolean {
    const at = this.#held.indexOf(this.#delimiter)
    const after = at + this.#delimiter.length
    if (at === -1 || this.#held.length < after + 2) return false
    const next = this.#held.subarray(after, after + 2).toString('latin1')
    this.#held = this.#held.subarray(after + 2)
    this.#state = next === '--' ? 'done' : 'head'
    return true
  }

  #readHead(): boolean {
    const at = this.#held.indexOf(HEAD_END)
    if (at === -1) {
      if (this.#held.length > MAX_HEAD_BYTES) throw new Error('a part has too large a head')
      return false
    }
    this.#listener.head(parseHead(this.#held.subarray(0, at).toString()))
    this.#held = this.#held.subarray(at + HEAD_END.length)
    this.#state = 'data'
    return true
  }

  #readData(): boolean {
    const at = this.#held.indexOf(this.#delimiter)
    if (at === -1) {
      // The end may hold the beginning of a delimiter.
      const safe = this.#held.length - this.#delimiter.length
      if (safe > 0) {
        this.#listener.data(this.#held.subarray(0, safe))
        this.#held = this.#held.subarray(safe)
      }
      return false
    }
    if (at > 0) this.#listener.data(this.#held.subarray(0, at))
    this.#listener.end()
    this.#held = this.#held.subarray(at)
    this.#state = 'delimiter'
    return true
  }
}

export function boundaryOf(contentType: string | undefined): string | undefined {
  const match = /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType ?? '')
  return match?.[1] ?? match?.[2]
}

function parseHead(text: string): PartHead {
  const disposition = /^content-disposition:\s*(.*)$/im.exec(text)?.[1] ?? ''
  const type = /^content-type:\s*(.*)$/im.exec(text)?.[1]?.trim()
  return {
    name: /[;\s]name="([^"]*)"/i.exec(disposition)?.[1] ?? '',
    filename: /filename="([^"]*)"/i.exec(disposition)?.[1] ?? null,
    contentType: type ?? null,
  }
}
