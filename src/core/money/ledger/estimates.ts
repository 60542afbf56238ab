// What calls of one key and model really used, lately: a running mean, and a maximum that fades. A reservation is made
// of these, and not of `max_tokens`, which callers set to whatever is allowed.
import type { UsageRecord } from '../usage-record.ts'

export interface Estimate {
  samples: number
  outputTokens: number
  /** The most, fading by a fiftieth with each call. */
  mostOutputTokens: number
  /** Real input to our guess of it. */
  inputRatio: number
  tookMs: number
}

/** By model and key; the one that was used last is the last. */
export type Estimates = Map<string, Estimate>

// A mean that follows a change within some ten calls.
const WEIGHT = 0.2
const FADE = 0.98
/** Before anything is known: an answer of usual length. */
const USUAL_OUTPUT_TOKENS = 1_024
const USUAL_TOOK_MS = 5_000
const MOST_ENTRIES = 64
/** So many calls are needed before their maximum says something of the next. */
const TRUSTED_SAMPLES = 8
/** And the next may be so many times larger. */
const MARGIN = 4

export interface Sized {
  readonly model: string
  readonly key: string
  readonly inputTokens: number
  readonly maxOutputTokens: number
}

// Callers ask for thousands where they mean it: a call that may produce far more than the ones before is another kind.
const nameOf = ({ model, key, maxOutputTokens }: Sized): string =>
  `${model} ${key} ${Math.ceil(Math.log2(Math.max(1, maxOutputTokens)))}`

export interface Expected {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Output that the call will hardly exceed, as far as the past tells. */
  readonly boundOutputTokens: number
  readonly tookMs: number
}

export function foresee(estimates: Estimates, sized: Sized): Expected {
  const { inputTokens, maxOutputTokens } = sized
  const known = estimates.get(nameOf(sized))
  if (known === undefined) {
    return {
      inputTokens,
      outputTokens: Math.min(maxOutputTokens, USUAL_OUTPUT_TOKENS),
      boundOutputTokens: boundOf(maxOutputTokens, UNKNOWN),
      tookMs: USUAL_TOOK_MS,
    }
  }
  return {
    inputTokens: Math.ceil(inputTokens * known.inputRatio),
    outputTokens: Math.min(maxOutputTokens, Math.ceil(known.outputTokens)),
    boundOutputTokens: boundOf(maxOutputTokens, known),
    tookMs: known.tookMs,
  }
}

const UNKNOWN = { samples: 0, mostOutputTokens: 0 }

function boundOf(
  maxOutputTokens: number,
  { samples, mostOutputTokens }: Pick<Estimate, 'samples' | 'mostOutputTokens'>,
): number {
  // Of few calls little is known.
  const most =
    samples < TRUSTED_SAMPLES ? Math.max(mostOutputTokens, USUAL_OUTPUT_TOKENS) : mostOutputTokens
  return Math.min(maxOutputTokens, Math.max(1, Math.ceil(most * MARGIN)))
}

export function learn(
  estimates: Estimates,
  sized: Sized,
  usage: UsageRecord,
  tookMs: number | null,
): void {
  const name = nameOf(sized)
  const known = estimates.get(name)
  const inputRatio = (usage.inputTokens + usage.cacheWriteTokens) / Math.max(1, sized.inputTokens)
  const next: Estimate =
    known === undefined
      ? {
          samples: 1,
          outputTokens: usage.outputTokens,
          mostOutputTokens: usage.outputTokens,
          inputRatio,
          tookMs: tookMs ?? USUAL_TOOK_MS,
        }
      : {
          samples: Math.min(known.samples + 1, TRUSTED_SAMPLES),
          outputTokens: mix(known.outputTokens, usage.outputTokens),
          mostOutputTokens: Math.max(known.mostOutputTokens * FADE, usage.outputTokens),
          inputRatio: mix(known.inputRatio, inputRatio),
          tookMs: tookMs === null ? known.tookMs : mix(known.tookMs, tookMs),
        }
  estimates.delete(name)
  estimates.set(name, next)
  for (const oldest of estimates.keys()) {
    if (estimates.size <= MOST_ENTRIES) break
    estimates.delete(oldest)
  }
}

const mix = (before: number, now: number): number => before + WEIGHT * (now - before)
