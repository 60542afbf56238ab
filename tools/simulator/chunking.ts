// Cuts a text into deltas and says how long the model takes for each.
import type { AnswerPlan } from './answer-plan.ts'
import type { FaultPlan } from './faults.ts'
import type { Pace } from './models.ts'
import type { Random } from './random.ts'

const SIGMA_GAP = 0.3

export interface StreamStyle {
  random: Random
  faults: FaultPlan
  pace: Pace
  latencyScale: number
}

/** Deltas of uneven size, never cutting a surrogate pair. */
export function* chunksOf(text: string, plan: AnswerPlan, style: StreamStyle): Generator<string> {
  const even = plan.deltas === undefined ? 0 : Math.max(1, Math.ceil(text.length / plan.deltas))
  let at = 0
  while (at < text.length) {
    const first = at === 0 && even === 0
    const length = even > 0 ? even : first ? 1 + style.random.int(6) : 6 + style.random.int(70)
    let end = Math.min(text.length, at + length)
    const unit = text.charCodeAt(end - 1)
    if (unit >= 0xd800 && unit <= 0xdbff && end < text.length) end++
    yield text.slice(at, end)
    at = end
  }
}

export function gapMs(plan: AnswerPlan, style: StreamStyle, tokens: number): number {
  const asked = style.faults.gapMs ?? plan.gapMs
  if (asked !== undefined) return asked
  if (style.latencyScale === 0 || tokens === 0) return 0
  const median = (tokens * 1_000) / style.pace.tokensPerSecond
  return style.random.logNormal(median, SIGMA_GAP) * style.latencyScale
}

/** Milliseconds since the epoch with three decimals, comparable between processes of one machine. */
export function stampNow(): string {
  return (performance.timeOrigin + performance.now()).toFixed(3)
}
