// An answer that is kept: which ones may be, how long they will do, and for whom.
import { elementsOf, fieldOf, fieldsIn, readString } from '../conversation/json-parts.ts'
import type { CacheAsk } from './cache-ask.ts'

export interface KeptAnswer {
  /** Claude's Message, as it came; one that was streamed as it would have come at once. */
  readonly body: Uint8Array
  /** When it was complete, epoch ms. */
  readonly storedAt: number
  readonly freshUntil: number
  /** After that nobody will have it. */
  readonly keptUntil: number
  /** What it took, and what it would cost again: what a hit saves. */
  readonly tookMs: number
  readonly costNanoUsd: number
  /** The newest invalidation when its call began. */
  readonly generation: number
  /** The invalidations that concern it, by name. */
  readonly marks: readonly string[]
}

/** Nobody who allows stale answers wants them much older. */
const MOST_STALE_MS = 86_400_000

export function lifeOf({ ttlSeconds }: Pick<CacheAsk, 'ttlSeconds'>, storedAt: number) {
  const ttlMs = ttlSeconds * 1000
  const freshUntil = storedAt + ttlMs
  return { freshUntil, keptUntil: freshUntil + Math.min(ttlMs, MOST_STALE_MS) }
}

const ENDS: ReadonlySet<string> = new Set(['end_turn', 'stop_sequence'])
/** A block of a kind that is not known may be part of something larger. */
const BLOCKS: ReadonlySet<string> = new Set(['text', 'thinking', 'redacted_thinking'])

/** Whether a Message is complete in itself. Only for text that is valid JSON. */
export function isKeepable(message: string): boolean {
  if (!message.trimStart().startsWith('{')) return false
  const fields = fieldsIn(message)
  const content = fieldOf(fields, 'content')
  if (readString(fieldOf(fields, 'type')) !== 'message' || content?.startsWith('[') !== true) {
    return false
  }
  if (!ENDS.has(readString(fieldOf(fields, 'stop_reason')) ?? '')) return false
  return elementsOf(content).every(
    (block) =>
      block.startsWith('{') && BLOCKS.has(readString(fieldOf(fieldsIn(block), 'type')) ?? ''),
  )
}

/** How an answer serves a request: as it should, only past its time, or not at all. */
export type Fitness = 'fresh' | 'stale' | 'stale_on_error' | 'unfit'

type Times = Pick<KeptAnswer, 'storedAt' | 'freshUntil' | 'keptUntil'>

export function fitnessOf(answer: Times, ask: CacheAsk, now: number): Fitness {
  if (!ask.reads || now >= answer.keptUntil) return 'unfit'
  const lateMs = lateMsOf(answer, ask, now)
  if (lateMs <= 0) return 'fresh'
  if (lateMs <= ask.maxStaleSeconds * 1000) return 'stale'
  return lateMs <= ask.staleIfErrorSeconds * 1000 ? 'stale_on_error' : 'unfit'
}

/** How far it is past what the caller wants; at most 0: not at all. */
const lateMsOf = ({ storedAt, freshUntil }: Times, ask: CacheAsk, now: number): number =>
  Math.max(
    // Its last fresh moment is the one before its end.
    now + ask.minFreshSeconds * 1000 - freshUntil + 1,
    now - storedAt - ask.maxAgeSeconds * 1000,
  )

/** Whole seconds, for the header. */
export const ageSeconds = ({ storedAt }: Pick<KeptAnswer, 'storedAt'>, now: number): number =>
  Math.max(0, Math.floor((now - storedAt) / 1000))
