// POST /v1/messages, streamed and not: limits, cache, plan, then the answer at the model's pace.
import { messageOf, type AnswerPlan } from './answer-plan.ts'
import { invalid } from './api-error.ts'
import { pause } from './apply-fault.ts'
import type { Exchange } from './exchange.ts'
import { statusOfErrorType } from './fault-status.ts'
import { findModel, type Model } from './models.ts'
import { planAnswer } from './plan-answer.ts'
import type { CachePlan } from './prompt-cache.ts'
import type { Admission } from './rate-limits.ts'
import { parseJson } from './read-body.ts'
import { contextOf } from './request-context.ts'
import type { MessagesRequest } from './request-types.ts'
import { sendJson, sendStream } from './respond.ts'
import { messageEvents } from './sse-events.ts'
import { countInputTokens } from './tokens.ts'
import { validateMessages } from './validate-request.ts'

const SIGMA_FIRST_TOKEN = 0.35

export async function postMessages(exchange: Exchange): Promise<void> {
  const request = validateMessages(parseJson(exchange), contextOf(exchange))
  await answer(exchange, request)
}

async function answer(exchange: Exchange, request: MessagesRequest): Promise<void> {
  const call = openCall(exchange, request)
  refuseByErrorFault(exchange, request)
  if (request.stream === true) await answerStreamed(exchange, call)
  else await answerWhole(exchange, call)
}

/** A request that has passed every check and may be answered. */
export interface Call {
  model: Model
  plan: AnswerPlan
  /** The answer begins: from here on it is paid for, and its prefix is cached. */
  begin: () => void
  produce: (tokens: number) => void
}

export function openCall(exchange: Exchange, request: MessagesRequest): Call {
  const { sim, entry, caller } = exchange
  entry.model = request.model
  entry.stream = request.stream === true
  const model = findModel(request.model)
  if (model === undefined) throw new Error('validation lets only known models pass')
  checkPromptLength(request, model)
  const cached = sim.cache.plan(caller.workspaceId, model, request)
  const { usage } = cached
  const charged = usage.input_tokens + usage.cache_creation_input_tokens
  const admission = sim.limits.admit(caller.org, model.modelClass, charged)
  exchange.rateView = () => admission.view()
  const plan = planAnswer({ seed: sim.seed, n: exchange.n, request, usage })
  entry.message_id = plan.id
  return { model, plan, ...books(exchange, plan, { cached, admission }) }
}

function books(
  exchange: Exchange,
  plan: AnswerPlan,
  held: { cached: CachePlan; admission: Admission },
): Pick<Call, 'begin' | 'produce'> {
  const { sim, entry, caller } = exchange
  let sum: { output_tokens: number } | undefined
  return {
    begin: () => {
      held.cached.commit()
      entry.usage = plan.usage
      sum = sim.usage.open(caller.org, plan.model, { usage: plan.usage, tier: plan.serviceTier })
    },
    produce: (tokens) => {
      held.admission.produce(tokens)
      entry.tokens += tokens
      if (sum !== undefined) sum.output_tokens += tokens
    },
  }
}

function checkPromptLength(request: MessagesRequest, model: Model): void {
  const tokens = countInputTokens(request)
  if (tokens <= model.maxInputTokens) return
  throw invalid(`prompt is too long: ${tokens} tokens > ${model.maxInputTokens} maximum`)
}

/** A plain answer cannot carry an error event: it is a status there. */
function refuseByErrorFault(exchange: Exchange, request: MessagesRequest): void {
  const { ending } = exchange.faults
  if (request.stream === true || ending?.kind !== 'error') return
  throw statusOfErrorType(ending.errorType)
}

async function answerStreamed(exchange: Exchange, call: Call): Promise<void> {
  const { sim, random, faults } = exchange
  const { latencyScale } = sim.settings
  const firstMs = random.logNormal(call.model.pace.firstTokenMs, SIGMA_FIRST_TOKEN) * latencyScale
  if (firstMs > 0) await pause(exchange, firstMs)
  if (exchange.finished) return
  call.begin()
  const style = { random, faults, pace: call.model.pace, latencyScale }
  sendStream(exchange, {
    pieces: messageEvents(call.plan, style),
    produced: call.produce,
  })
}

async function answerWhole(exchange: Exchange, call: Call): Promise<void> {
  const { sim, random } = exchange
  const { firstTokenMs, tokensPerSecond } = call.model.pace
  const { latencyScale } = sim.settings
  const firstMs = random.logNormal(firstTokenMs, SIGMA_FIRST_TOKEN) * latencyScale
  const tokenMs = (1_000 / tokensPerSecond) * latencyScale
  const waitMs = firstMs + call.plan.outputTokens * tokenMs
  if (waitMs > 0) await pauseWhileProducing(exchange, call, { waitMs, firstMs, tokenMs })
  if (exchange.finished) return
  if (waitMs === 0) call.begin()
  call.produce(call.plan.outputTokens - exchange.entry.tokens)
  sendJson(exchange, { status: 200, body: JSON.stringify(messageOf(call.plan)) })
}

/** A caller that leaves while a plain answer is being made has used what was made so far. */
async function pauseWhileProducing(
  exchange: Exchange,
  call: Call,
  pace: { waitMs: number; firstMs: number; tokenMs: number },
): Promise<void> {
  const startedAt = exchange.sim.wheel.now()
  call.begin()
  exchange.onEnd = (outcome) => {
    if (outcome !== 'aborted') return
    const elapsed = exchange.sim.wheel.now() - startedAt - pace.firstMs
    const made = Math.floor(Math.max(0, elapsed) / pace.tokenMs)
    call.produce(Math.min(call.plan.outputTokens, made))
  }
  await pause(exchange, pace.waitMs)
  exchange.onEnd = undefined
}
