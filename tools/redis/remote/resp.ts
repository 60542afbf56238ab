// RESP2 on the wire: commands out, replies in, as binary strings. Replies may arrive in pieces of any size.
import type { Command } from '../engine/engine.ts'
import type { Reply } from '../engine/reply.ts'

export function encodeCommands(commands: readonly Command[]): Buffer {
  const parts: string[] = []
  for (const command of commands) {
    parts.push(`*${command.length}\r\n`)
    for (const argument of command) parts.push(`$${argument.length}\r\n${argument}\r\n`)
  }
  return Buffer.from(parts.join(''), 'latin1')
}

interface OpenArray {
  readonly items: Reply[]
  readonly length: number
}

export class RespParser {
  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  /** Pieces of a bulk string that is not whole yet are not joined again for each new piece. */
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #neededBytes = 0
  readonly #arrays: OpenArray[] = []

  /** Takes bytes and answers the replies that they complete; throws when they are no RESP. */
  push(chunk: Buffer): Reply[] {
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes < this.#neededBytes) return []
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), ...this.#waiting])
    this.#at = 0
    this.#waiting = []
    this.#waitingBytes = 0
    this.#neededBytes = 0
    const replies: Reply[] = []
    for (let reply = this.#next(); reply !== undefined; reply = this.#next()) replies.push(reply)
    return replies
  }

  /** The next complete top-level reply; undefined when bytes are missing. */
  #next(): Reply | undefined {
    for (;;) {
      let value = this.#element()
      if (value === undefined) return undefined
      for (;;) {
        if (value === opened) break
        const array = this.#arrays.at(-1)
        if (array === undefined) return value
        array.items.push(value)
        if (array.items.length < array.length) break
        this.#arrays.pop()
        value = array.items
      }
    }
  }

  #element(): Reply | typeof opened | undefined {
    const end = this.#buffer.indexOf('\r\n', this.#at, 'latin1')
    if (end < 0) return undefined
    const line = this.#buffer.toString('latin1', this.#at + 1, end)
    const type = this.#buffer[this.#at]
    if (type === 0x24) return this.#bulk(Number(line), end + 2)
    this.#at = end + 2
    switch (type) {
      case 0x2b:
        return { simple: line }
      case 0x2d:
        return { failure: line }
      case 0x3a:
        return toInteger(line)
      case 0x2a:
        return this.#array(Number(line))
      default:
        throw new Error('The Redis server does not speak RESP2')
    }
  }

  #bulk(length: number, start: number): Reply | undefined {
    if (!Number.isSafeInteger(length)) throw new Error('The Redis server sent a bad length')
    if (length < 0) {
      this.#at = start
      return null
    }
    const end = start + length
    if (this.#buffer.length < end + 2) {
      this.#neededBytes = end + 2 - this.#buffer.length
      return undefined
    }
    this.#at = end + 2
    return this.#buffer.toString('latin1', start, end)
  }

  #array(length: number): Reply | typeof opened {
    if (length < 0) return null
    if (length === 0) return []
    this.#arrays.push({ items: [], length })
    return opened
  }
}

/** An array has begun and its items follow. */
const opened = Symbol('opened')

function toInteger(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}
