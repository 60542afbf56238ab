// Makes what is kept of a complete answer: the Message as it came, how long it will do, and what it saves next time.
import type { CacheAsk } from '../../core/caching/cache-ask.ts'
import { isKeepable, type KeptAnswer, lifeOf } from '../../core/caching/kept-answer.ts'
import { fieldOf, fieldsIn, readString } from '../../core/conversation/json-parts.ts'
import { costOf } from '../../core/money/cost.ts'
import { readUsage } from '../../core/answering/usage.ts'

export interface MadeAnswer {
  /** Claude's Message. */
  readonly body: Uint8Array
  readonly startedAt: number
  readonly endedAt: number
  /** The newest invalidation when its call began. */
  readonly generation: number
  readonly marks: readonly string[]
  readonly model: string
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Null: it is not complete in itself, or too large. */
export function keptAnswerOf(made: MadeAnswer, ask: CacheAsk, maxBytes: number): KeptAnswer | null {
  const { body, startedAt, endedAt, generation, marks, model } = made
  if (body.byteLength > maxBytes) return null
  const message = textOf(body)
  if (message === null || !isKeepable(message)) return null
  const fields = fieldsIn(message)
  const usage = readUsage(JSON.parse(fieldOf(fields, 'usage') ?? '{}'))
  const answered = readString(fieldOf(fields, 'model'))
  return {
    body,
    storedAt: endedAt,
    ...lifeOf(ask, endedAt),
    tookMs: Math.max(0, Math.round(endedAt - startedAt)),
    costNanoUsd: costOf(answered ?? model, usage).costNanoUsd,
    generation,
    marks,
  }
}

/** Null: it is no JSON. */
function textOf(body: Uint8Array): string | null {
  try {
    const text = decoder.decode(body)
    JSON.parse(text)
    return text
  } catch {
    return null
  }
}
