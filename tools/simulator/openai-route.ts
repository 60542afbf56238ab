// POST /v1/chat/completions: Claude's OpenAI-compatible endpoint, with the same limits and books.
import { pause } from './apply-fault.ts'
import { firstTokenMs, generationMs } from './latency.ts'
import type { Exchange } from './exchange.ts'
import { openCall } from './messages-route.ts'
import { completionChunks, completionOf } from './openai-answer.ts'
import { readOpenAi } from './openai-request.ts'
import { parseJson } from './read-body.ts'
import { sendStream, sendValue } from './respond.ts'
import { OLD_VERSION, validateMessages } from './validate-request.ts'

export async function postChatCompletions(exchange: Exchange): Promise<void> {
  const { sim, random, faults } = exchange
  const wanted = readOpenAi(parseJson(exchange))
  const request = validateMessages(wanted.body, { version: OLD_VERSION, betas: [] })
  const call = openCall(exchange, request)
  exchange.entry.stream = wanted.stream
  const createdAtSeconds = Math.floor(sim.now() / 1_000)
  const { latencyScale } = sim.settings
  const firstMs = firstTokenMs(call.model, random, latencyScale)
  const restMs = wanted.stream ? 0 : generationMs(call.model, call.plan, latencyScale)
  if (firstMs + restMs > 0) await pause(exchange, firstMs + restMs)
  if (exchange.finished) return
  call.begin()
  if (!wanted.stream) {
    call.produce(call.plan.outputTokens)
    sendValue(exchange, completionOf(call.plan, createdAtSeconds))
    return
  }
  const { includeUsage } = wanted
  const { pace } = call.model
  const style = { random, faults, pace, latencyScale, createdAtSeconds, includeUsage }
  sendStream(exchange, {
    pieces: completionChunks(call.plan, style),
    produced: call.produce,
  })
}
