// The six routes of message batches.
import type { UsageSum } from './accounts.ts'
import { notFound } from './api-error.ts'
import { fateOf, resultLine, type BatchContext } from './batch-results.ts'
import { showBatch, type Batch } from './batches.ts'
import type { Piece } from './delivery.ts'
import type { Exchange } from './exchange.ts'
import { textField, type JsonObject } from './json.ts'
import { pageOf } from './paging.ts'
import type { InputUsage } from './prompt-cache.ts'
import { mix, Random } from './random.ts'
import { parseJson } from './read-body.ts'
import { contextOf } from './request-context.ts'
import { sendStream, sendValue } from './respond.ts'

export function createBatch(exchange: Exchange): void {
  contextOf(exchange)
  const { sim, caller } = exchange
  const id = `msgbatch_01${new Random(mix(sim.seed, exchange.n, 4)).base62(22)}`
  const options = { id, durationMs: sim.settings.batchMs, seed: sim.seed }
  const batch = sim.batches.create(caller.workspaceId, parseJson(exchange), options)
  sendValue(exchange, show(exchange, batch))
}

export function listBatches(exchange: Exchange): void {
  contextOf(exchange)
  const { sim, caller, query } = exchange
  const page = pageOf(sim.batches.list(caller.workspaceId), query)
  const data = page.data.map((batch) => show(exchange, batch))
  sendValue(exchange, { ...page, data })
}

export function getBatch(exchange: Exchange, id: string): void {
  sendValue(exchange, show(exchange, find(exchange, id)))
}

export function cancelBatch(exchange: Exchange, id: string): void {
  const batch = find(exchange, id)
  exchange.sim.batches.cancel(batch, exchange.sim.settings.batchCancelMs)
  sendValue(exchange, show(exchange, batch))
}

export function deleteBatch(exchange: Exchange, id: string): void {
  exchange.sim.batches.delete(find(exchange, id))
  sendValue(exchange, { id, type: 'message_batch_deleted' })
}

export function batchResults(exchange: Exchange, id: string): void {
  const batch = find(exchange, id)
  if (exchange.sim.batches.stateOf(batch) !== 'ended') {
    throw notFound(`Message batch ${id} has no results yet`)
  }
  sendStream(exchange, {
    contentType: 'application/x-jsonl',
    pieces: resultPieces(exchange, batch),
  })
}

function* resultPieces(exchange: Exchange, batch: Batch): Generator<Piece> {
  const context = batchContext(exchange)
  const book = !batch.booked
  batch.booked = true
  for (const item of batch.items) {
    const { line, message } = resultLine(batch, item, context)
    if (book && message !== undefined) bookUsage(exchange, message)
    yield { data: line, delayMs: 0, events: 1, tokens: 0 }
  }
}

function bookUsage(exchange: Exchange, message: JsonObject): void {
  const usage = message['usage'] as InputUsage & { output_tokens: number }
  const sum: UsageSum = exchange.sim.usage.open(exchange.caller.org, textField(message, 'model'), {
    usage,
    tier: 'batch',
  })
  sum.output_tokens += usage.output_tokens
}

function find(exchange: Exchange, id: string): Batch {
  contextOf(exchange)
  return exchange.sim.batches.find(exchange.caller.workspaceId, id)
}

function show(exchange: Exchange, batch: Batch) {
  const { sim, req } = exchange
  const state = sim.batches.stateOf(batch)
  const context = batchContext(exchange)
  const fates = state === 'ended' ? batch.items.map((item) => fateOf(batch, item, context)) : []
  return showBatch(batch, state, { origin: `http://${req.headers.host ?? '127.0.0.1'}`, fates })
}

function batchContext(exchange: Exchange): BatchContext {
  return { seed: exchange.sim.seed, request: contextOf(exchange) }
}
