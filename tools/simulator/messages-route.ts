// POST /v1/messages, streamed and not: limits, cache, plan, then the answer at the model's pace.
import { contentOf, messageOf, type AnswerPlan } from './answer-plan.ts'
import { invalid } from './api-error.ts'
import { pause } from './apply-fault.ts'
import type { Exchange } from './exchange.ts'
import { statusOfErrorType } from './fault-status.ts'
import { isObject } from './json.ts'
import { firstTokenMs, generationMs } from './latency.ts'
import { findModel, type Model } from './models.ts'
import { planAnswer } from './plan-answer.ts'
import type { CachePlan } from './prompt-cache.ts'
import type { Admission } from './rate-limits.ts'
import { parseJson } from './read-body.ts'
import { contextOf } from './request-context.ts'
import type { MessagesRequest } from './request-types.ts'
import { sendStream, sendValue } from './respond.ts'
import { messageEvents } from './sse-events.ts'
import { threadNotFound, threadUnsupported, type ThreadTurn } from './threads.ts'
import { countInputTokens } from './tokens.ts'
import { validateMessages } from './validate-request.ts'

export async function postMessages(exchange: Exchange): Promise<void> {
  const request = validateMessages(parseJson(exchange), contextOf(exchange))
  if (!isObject(request.thread)) return answer(exchange, request)
  const turn = openThread(exchange, request)
  let plan: AnswerPlan | undefined
  // Whatever way the request ends, the reply before is free again or continued.
  exchange.onEnd.push((outcome) => {
    if (outcome === 'completed' && plan !== undefined)
      turn.keep(plan.id, plan.blocks.map(contentOf))
    else turn.drop()
  })
  await answer(exchange, turn.request, (made) => {
    plan = made
  })
}

function openThread(exchange: Exchange, request: MessagesRequest): ThreadTurn {
  const { sim, caller, faults } = exchange
  if (!sim.settings.threads || faults.thread === 'unsupported') throw threadUnsupported([])
  if (faults.thread === 'lost' && request.thread?.type === 'continue') {
    throw threadNotFound(request.thread.previous_message_id ?? '')
  }
  return sim.threads.open(caller.org, request, sim.settings.threadTtlMs)
}

async function answer(
  exchange: Exchange,
  request: MessagesRequest,
  planned?: (plan: AnswerPlan) => void,
): Promise<void> {
  const call = openCall(exchange, request)
  planned?.(call.plan)
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
  const firstMs = firstTokenMs(call.model, random, latencyScale)
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
  const { latencyScale } = sim.settings
  const firstMs = firstTokenMs(call.model, random, latencyScale)
  const restMs = generationMs(call.model, call.plan, latencyScale)
  call.begin()
  if (firstMs + restMs > 0) await pauseWhileProducing(exchange, call, { firstMs, restMs })
  if (exchange.finished) return
  call.produce(call.plan.outputTokens)
  sendValue(exchange, messageOf(call.plan))
}

/** A caller that leaves while a plain answer is being made has used what was made so far. */
async function pauseWhileProducing(
  exchange: Exchange,
  call: Call,
  pace: { firstMs: number; restMs: number },
): Promise<void> {
  const { wheel } = exchange.sim
  const firstTokenAt = wheel.now() + pace.firstMs
  exchange.onEnd.push((outcome) => {
    if (outcome !== 'aborted') return
    const share = Math.max(0, wheel.now() - firstTokenAt) / Math.max(1, pace.restMs)
    call.produce(Math.floor(call.plan.outputTokens * Math.min(1, share)))
  })
  await pause(exchange, pace.firstMs + pace.restMs)
}
