// Where answers are kept for all isolates, and where identical calls find each other: the first to ask makes the call,
// the others hear what becomes of it. And the nearer layer that a data centre may have.
import type { Waits } from './gates.ts'
import type { KeptAnswer } from '../core/caching/kept-answer.ts'

export interface AnswerLook {
  /** The answer's key. */
  readonly hash: string
  readonly now: number
  /** The invalidations that would concern an answer to this request. */
  readonly marks: readonly string[]
  /** What the caller accepts; null: nothing that is kept. */
  readonly accepts: {
    readonly maxAgeMs: number
    readonly minFreshMs: number
    /** How late it may be at most. */
    readonly staleMs: number
  } | null
  /** An answer that is at hand and would do, unless it was invalidated. */
  readonly near: Pick<KeptAnswer, 'generation' | 'storedAt' | 'marks'> | null
  /** By which this request holds the call if it is to make it; null: it makes it for nobody else. */
  readonly token: string | null
  /** The request's own, so that its questions share a timer. */
  readonly waits?: Waits
}

export type AnswerFound =
  /** What was at hand is good. */
  | { readonly kind: 'near' }
  | { readonly kind: 'kept'; readonly answer: KeptAnswer }
  /** The caller makes the call; the newest invalidation so far. */
  | { readonly kind: 'lead'; readonly generation: number; readonly stale: KeptAnswer | null }
  /** Another does. */
  | { readonly kind: 'follow'; readonly token: string; readonly stale: KeptAnswer | null }

/** A call that is under way for whoever asks the same. */
export interface FlightName {
  readonly hash: string
  readonly token: string
}

/** What those at other isolates hear of a call. */
export type FlightPiece =
  /** Of its stream, in order. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** The whole answer of a call that was not streamed, and is not kept. */
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  /** The end of a stream. */
  | { readonly kind: 'end' }
  /** The answer is kept: look again. */
  | { readonly kind: 'kept' }
  /** As its maker was told. */
  | { readonly kind: 'failed'; readonly failure: string }

export interface Heard {
  readonly pieces: readonly FlightPiece[]
  /** False: nobody makes this call any more, and nothing more will come. */
  readonly isAlive: boolean
}

export interface FlightStanding {
  /** False: another has taken the call over. */
  readonly isHeld: boolean
  /** Some other isolate has listened just now. */
  readonly isHeard: boolean
}

/** Totals since the store began; names are the core's. */
export type CacheCounts = Readonly<Record<string, number>>

/** Every method throws where the store cannot be asked or answers what makes no sense. */
export interface AnswerStore {
  /** One step for all of it: what is kept, whether it is good, and who makes the call. */
  look(look: AnswerLook): Promise<AnswerFound>
  /** Says that the call is under way, and hands on what is said. */
  tell(flight: FlightName, pieces: readonly FlightPiece[]): Promise<FlightStanding>
  /** From the piece of this number on. */
  listen(flight: FlightName, from: number): Promise<Heard>
  /** Ends the call, however it ended. The answer is kept if it is still good: true. */
  land(flight: FlightName, answer: KeptAnswer | null, last: FlightPiece | null): Promise<boolean>
  /** The number of the invalidation. `before`: only of what was stored before then, epoch ms. */
  invalidate(mark: string, before: number | null): Promise<number>
  addCounts(counts: CacheCounts): Promise<void>
  readCounts(): Promise<CacheCounts>
}

/** Never throws: what cannot be asked has nothing. */
export interface ColoAnswers {
  find(hash: string): Promise<KeptAnswer | null>
  keep(hash: string, answer: KeptAnswer): Promise<void>
}
