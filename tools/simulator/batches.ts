// Message batches as a state machine of time: nothing runs in the background, a batch's state is read
// off the clock. Each request has its own moment of being done, so a cancel catches some and not others.
import { ApiError, invalid, notFound } from './api-error.ts'
import { isObject, type JsonObject } from './json.ts'
import { hash32, mix, Random } from './random.ts'

const BATCH_LIMIT = 500
const MAX_REQUESTS = 100_000
const DAY_MS = 86_400_000
const CUSTOM_ID = /^[a-zA-Z0-9_-]{1,64}$/

export type ItemFate = 'succeeded' | 'errored' | 'canceled' | 'expired'

export interface BatchItem {
  customId: string
  params: JsonObject
  doneAtMs: number
}

export interface Batch {
  id: string
  workspaceId: string
  /** In the order of the results, which is not that of the requests. */
  items: BatchItem[]
  createdAtMs: number
  endsAtMs: number
  cancelAtMs: number | null
  /** Usage is booked when the results are first read. */
  booked: boolean
}

export class BatchStore {
  #batches = new Map<string, Batch>()
  #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  clear(): void {
    this.#batches.clear()
  }

  create(
    workspaceId: string,
    body: unknown,
    options: { id: string; durationMs: number; seed: number },
  ) {
    const now = this.#now()
    const { id, durationMs } = options
    const random = new Random(mix(options.seed, hash32(id)))
    const items = readItems(body).map((item) => ({
      ...item,
      doneAtMs: now + random.next() * durationMs,
    }))
    const batch: Batch = {
      id,
      workspaceId,
      items: items.toSorted((a, b) => a.doneAtMs - b.doneAtMs),
      createdAtMs: now,
      endsAtMs: now + durationMs,
      cancelAtMs: null,
      booked: false,
    }
    this.#batches.set(id, batch)
    this.#bound()
    return batch
  }

  find(workspaceId: string, id: string): Batch {
    const batch = this.#batches.get(id)
    if (batch === undefined || batch.workspaceId !== workspaceId) {
      throw notFound(`Message batch ${id} not found`)
    }
    return batch
  }

  /** Newest first. */
  list(workspaceId: string): Batch[] {
    const own = [...this.#batches.values()].filter((batch) => batch.workspaceId === workspaceId)
    return own.toReversed()
  }

  /** A cancel of a batch that has ended changes nothing. */
  cancel(batch: Batch, graceMs: number): void {
    if (this.stateOf(batch) !== 'in_progress') return
    batch.cancelAtMs = this.#now()
    batch.endsAtMs = Math.min(batch.endsAtMs, batch.cancelAtMs + graceMs)
  }

  delete(batch: Batch): void {
    if (this.stateOf(batch) !== 'ended') {
      throw invalid(`Message batch ${batch.id} cannot be deleted while it is being processed.`)
    }
    this.#batches.delete(batch.id)
  }

  /** Ends it now, for tests that will not wait. */
  endNow(id: string): void {
    const batch = this.#batches.get(id)
    if (batch === undefined) throw notFound(`Message batch ${id} not found`)
    const now = this.#now()
    batch.endsAtMs = Math.min(batch.endsAtMs, now)
    for (const item of batch.items) item.doneAtMs = Math.min(item.doneAtMs, now)
  }

  stateOf(batch: Batch): 'in_progress' | 'canceling' | 'ended' {
    if (this.#now() >= batch.endsAtMs) return 'ended'
    return batch.cancelAtMs === null ? 'in_progress' : 'canceling'
  }

  #bound(): void {
    if (this.#batches.size <= BATCH_LIMIT) return
    const oldest = this.#batches.keys().next()
    if (oldest.done !== true) this.#batches.delete(oldest.value)
  }
}

export function showBatch(
  batch: Batch,
  state: string,
  view: { origin: string; fates: ItemFate[] },
): JsonObject & { id: string } {
  const ended = state === 'ended'
  const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 }
  // Claude keeps every request under `processing` until the whole batch has ended.
  if (ended) for (const fate of view.fates) counts[fate]++
  else counts.processing = batch.items.length
  return {
    id: batch.id,
    type: 'message_batch',
    processing_status: state,
    request_counts: counts,
    created_at: iso(batch.createdAtMs),
    expires_at: iso(batch.createdAtMs + DAY_MS),
    ended_at: ended ? iso(batch.endsAtMs) : null,
    cancel_initiated_at: batch.cancelAtMs === null ? null : iso(batch.cancelAtMs),
    archived_at: null,
    results_url: ended ? `${view.origin}/v1/messages/batches/${batch.id}/results` : null,
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function readItems(body: unknown): { customId: string; params: JsonObject }[] {
  if (!isObject(body)) throw invalid('Input should be a valid dictionary')
  const requests = body['requests']
  if (requests === undefined) throw invalid('requests: Field required')
  if (!Array.isArray(requests)) throw invalid('requests: Input should be a valid list')
  if (requests.length === 0) throw invalid('requests: List should have at least 1 item')
  if (requests.length > MAX_REQUESTS) {
    throw new ApiError(413, `requests: List should have at most ${MAX_REQUESTS} items`)
  }
  const seen = new Set<string>()
  return requests.map((request: unknown, index) => readItem(request, `requests.${index}`, seen))
}

function readItem(request: unknown, path: string, seen: Set<string>) {
  if (!isObject(request)) throw invalid(`${path}: Input should be a valid dictionary`)
  const { custom_id: customId, params } = request
  if (customId === undefined) throw invalid(`${path}.custom_id: Field required`)
  if (typeof customId !== 'string') {
    throw invalid(`${path}.custom_id: Input should be a valid string`)
  }
  if (!CUSTOM_ID.test(customId)) {
    throw invalid(`${path}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'`)
  }
  if (seen.has(customId)) throw invalid(`${path}.custom_id: custom_id must be unique: ${customId}`)
  seen.add(customId)
  if (params === undefined) throw invalid(`${path}.params: Field required`)
  if (!isObject(params)) throw invalid(`${path}.params: Input should be a valid dictionary`)
  return { customId, params }
}
