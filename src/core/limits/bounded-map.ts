// A map that forgets what was not set for longest once it holds too much: for what is counted by names that
// anyone may send.

export class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #mostEntries: number

  constructor(mostEntries: number) {
    this.#mostEntries = mostEntries
  }

  get(name: string): Value | undefined {
    return this.#entries.get(name)
  }

  set(name: string, value: Value): void {
    this.#entries.delete(name)
    this.#entries.set(name, value)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#mostEntries) break
      this.#entries.delete(oldest)
    }
  }

  delete(name: string): void {
    this.#entries.delete(name)
  }

  get size(): number {
    return this.#entries.size
  }
}
