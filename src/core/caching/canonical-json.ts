// One spelling for every way to write the same JSON: keys in order, no spaces, escapes undone where they may be.
// Numbers stay as they were written, since a parser would make different ones equal, and so do repeated keys.

/** Only for text that has been found valid. Fields of the outermost object that are `left` out do not count. */
export function canonicalJson(text: string, left: ReadonlySet<string> = NOTHING): string {
  return new Reader(text).value(left)
}

const NOTHING: ReadonlySet<string> = new Set()
const QUOTE = 0x22
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c

interface Entry {
  readonly name: string
  readonly value: string
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(left: ReadonlySet<string> = NOTHING): string {
    const next = this.#skipSpace()
    if (next === QUOTE) return this.#string()
    if (next === OPEN_OBJECT) return this.#object(left)
    return next === OPEN_ARRAY ? this.#array() : this.#word()
  }

  #skipSpace(): number {
    while (this.#text.charCodeAt(this.#at) <= 0x20) this.#at += 1
    return this.#text.charCodeAt(this.#at)
  }

  #skipComma(): void {
    if (this.#skipSpace() === COMMA) this.#at += 1
  }

  #object(left: ReadonlySet<string>): string {
    const entries: Entry[] = []
    this.#at += 1
    while (this.#at < this.#text.length && this.#skipSpace() !== CLOSE_OBJECT) {
      const name = this.#string()
      this.#skipSpace()
      this.#at += 1
      const value = this.value()
      if (left.size === 0 || !left.has(JSON.parse(name))) entries.push({ name, value })
      this.#skipComma()
    }
    this.#at += 1
    // Stable: which of two with the same name counts is for a parser to say.
    entries.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    let printed = ''
    for (const { name, value } of entries) {
      printed += `${printed === '' ? '' : ','}${name}:${value}`
    }
    return `{${printed}}`
  }

  #array(): string {
    let printed = ''
    this.#at += 1
    while (this.#at < this.#text.length && this.#skipSpace() !== CLOSE_ARRAY) {
      const value = this.value()
      printed += printed === '' ? value : `,${value}`
      this.#skipComma()
    }
    this.#at += 1
    return `[${printed}]`
  }

  #string(): string {
    const start = this.#at
    let end = start
    let isEscaped = true
    while (isEscaped) {
      end = this.#text.indexOf('"', end + 1)
      if (end < 0) end = this.#text.length
      let slashes = 0
      while (this.#text.charCodeAt(end - 1 - slashes) === 0x5c) slashes += 1
      isEscaped = slashes % 2 === 1 && end < this.#text.length
    }
    this.#at = end + 1
    const written = this.#text.slice(start, end + 1)
    return written.includes('\\') ? JSON.stringify(JSON.parse(written)) : written
  }

  #word(): string {
    const start = this.#at
    for (; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at)
      if (code <= 0x20 || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_ARRAY) break
    }
    // Not valid after all: what cannot be read must not be read for ever.
    if (this.#at === start) this.#at += 1
    return this.#text.slice(start, this.#at)
  }
}
