// What the results of a batch used, read from their lines as they pass. Only whole lines count, and only answers cost.
import { fieldsOf, readUsage } from '../answering/usage.ts'
import { costOf } from '../money/cost.ts'

export interface ModelUse {
  readonly model: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheWriteTokens: number
  readonly cacheReadTokens: number
  readonly costNanoUsd: number
  readonly savedNanoUsd: number
  readonly estimated: boolean
}

const NEWLINE = 0x0a

export class BatchMeter {
  readonly #uses = new Map<string, ModelUse>()
  readonly #decoder: { decode(bytes: Uint8Array): string }
  #rest: Uint8Array[] = []

  /** @param decoder of UTF-8 */
  constructor(decoder: { decode(bytes: Uint8Array): string }) {
    this.#decoder = decoder
  }

  push(chunk: Uint8Array): void {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#line(chunk.subarray(from, at))
      from = at + 1
    }
    if (from < chunk.length) this.#rest.push(chunk.slice(from))
  }

  /** The last line need not be ended. */
  end(): readonly ModelUse[] {
    this.#line(new Uint8Array(0))
    return [...this.#uses.values()]
  }

  #line(tail: Uint8Array): void {
    const parts = [...this.#rest, tail]
    this.#rest = []
    const line = parse(this.#decoder.decode(join(parts)))
    const message = fieldsOf(fieldsOf(fieldsOf(line)['result'])['message'])
    const { model, usage: said } = message
    if (typeof model !== 'string' || said === undefined) return
    const usage = readUsage(said)
    // Each by itself: a price depends on the length of its prompt.
    const cost = costOf(model, usage, { batch: true })
    const before = this.#uses.get(model) ?? nothing(model)
    this.#uses.set(model, {
      model,
      requests: before.requests + 1,
      inputTokens: before.inputTokens + usage.inputTokens,
      outputTokens: before.outputTokens + usage.outputTokens,
      cacheWriteTokens:
        before.cacheWriteTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
      cacheReadTokens: before.cacheReadTokens + usage.cacheReadTokens,
      costNanoUsd: before.costNanoUsd + cost.costNanoUsd,
      savedNanoUsd: before.savedNanoUsd + cost.savedNanoUsd,
      estimated: before.estimated || cost.estimated,
    })
  }
}

const nothing = (model: string): ModelUse => ({
  model,
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheWriteTokens: 0,
  cacheReadTokens: 0,
  costNanoUsd: 0,
  savedNanoUsd: 0,
  estimated: false,
})

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return null
  }
}
