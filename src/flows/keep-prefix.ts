// Asks Claude to keep a call's prefix where its caller left that to us, by one field at the body's end, and not where its
// tenant's ledger has found that it does not pay.
import {
  type CacheMarkers,
  markersWithOurs,
  type ReadPrompt,
  writeMarkers,
} from '../core/answering/prompt-marker.ts'
import { BoundedMap } from '../core/limits/bounded-map.ts'
import type { Services } from '../ports.ts'
import type { Call } from './call.ts'

/** The call itself where there is nothing to ask for. */
export function keepPrefix(services: Services, call: Call): Call {
  const { tab } = call
  const read = readPrompt(call)
  const ours = oursFor(call, read)
  if (read === null || ours === null) return call
  if (tab !== null && tab.prefixOffUntil !== null) {
    tellOnce(services, call, tab.prefixOffUntil)
    return call
  }
  if (tab !== null) tab.askedToKeep = true
  // What is known of places in the body was that of the former one.
  const unknown = { modelSpan: null, prompt: null, markers: null }
  return { ...call, ...unknown, body: writeMarkers(read, ours) }
}

/** The markers that the call goes to Claude with, ours among them; null: it has no prefix that can be told. */
export function markersOf(call: Call): ReadPrompt | null {
  const read = readPrompt(call)
  return read === null ? null : { ...read, markers: oursFor(call, read) ?? read.markers }
}

function oursFor({ promptCache, usesThread }: Call, read: ReadPrompt | null): CacheMarkers | null {
  // A thread's prefix is with the account that keeps it.
  if (read === null || promptCache === null || usesThread) return null
  return markersWithOurs(read, promptCache)
}

const readPrompt = ({ body, markers, prompt, model }: Call): ReadPrompt | null =>
  body === null || markers === null || prompt === null ? null : { body, markers, prompt, model }

const MOST_TOLD = 1_000
/** Until when it was said last, by tenant and model. */
const told = new BoundedMap<number>(MOST_TOLD)

function tellOnce({ log }: Services, { caller, model }: Call, until: number): void {
  const name = `${caller.tenant} ${model}`
  if (told.get(name) === until) return
  told.set(name, until)
  log({
    event: 'prompt_cache_off',
    tenant: caller.tenant,
    model,
    until: new Date(until).toISOString(),
  })
}
