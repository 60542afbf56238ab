// A map bounded by the bytes of what it holds: what was not used for longest goes first.

interface Entry<Value> {
  readonly value: Value
  readonly bytes: number
}

export class ByteBoundedMap<Value> {
  readonly #entries = new Map<string, Entry<Value>>()
  readonly #mostBytes: number
  #bytes = 0
  /** How many had to go for others so far. */
  evictions = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.size
  }

  get(name: string): Value | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    return entry.value
  }

  set(name: string, value: Value, bytes: number): void {
    this.delete(name)
    if (bytes > this.#mostBytes) return
    this.#entries.set(name, { value, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#mostBytes) break
      this.delete(oldest)
      this.evictions += 1
    }
  }

  delete(name: string): void {
    this.#bytes -= this.#entries.get(name)?.bytes ?? 0
    this.#entries.delete(name)
  }
}
