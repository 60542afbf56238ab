// Bytes that grow at their end, for what must outlive the chunk that it came in.

const SMALLEST = 256
/** Room above this is given back when it is no longer needed: streams live long and are many. */
const KEPT_ROOM = 16 * 1024

export class ByteBuffer {
  #bytes = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  get first(): number | undefined {
    return this.#length === 0 ? undefined : this.#bytes[0]
  }

  append(part: Uint8Array): void {
    const needed = this.#length + part.length
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(SMALLEST, needed, 2 * this.#bytes.length))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(part, this.#length)
    this.#length = needed
  }

  /** A copy of all of it, which is then gone from here. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length)
    this.clear()
    return taken
  }

  clear(): void {
    this.#length = 0
    if (this.#bytes.length > KEPT_ROOM) this.#bytes = new Uint8Array(0)
  }
}
