// How long a model takes: a log-normal time to its first token, then a steady rate.
import type { AnswerPlan } from './answer-plan.ts'
import type { Model } from './models.ts'
import type { Random } from './random.ts'

const SIGMA_FIRST_TOKEN = 0.35

export function firstTokenMs(model: Model, random: Random, scale: number): number {
  return random.logNormal(model.pace.firstTokenMs, SIGMA_FIRST_TOKEN) * scale
}

/** The time for a whole answer after its first token. */
export function generationMs(model: Model, plan: AnswerPlan, scale: number): number {
  return ((plan.outputTokens * 1_000) / model.pace.tokensPerSecond) * scale
}
