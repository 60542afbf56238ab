// Asks Claude to keep a call's prefix where its caller left that to us, by one field at the body's end, and not where its
// tenant's ledger has found that it does not pay.
import { markAll, mayMarkAll } from '../core/answering/prompt-marker.ts'
import { BoundedMap } from '../core/limits/bounded-map.ts'
import type { Services } from '../ports.ts'
import type { Call } from './call.ts'

/** The call itself where there is nothing to ask for. */
export function keepPrefix(services: Services, call: Call): Call {
  const { body, markers, tab } = call
  if (body === null || markers === null || !mayKeepPrefix(call)) return call
  if (tab !== null && tab.prefixOffUntil !== null) {
    tellOnce(services, call, tab.prefixOffUntil)
    return call
  }
  if (tab !== null) tab.askedToKeep = true
  return { ...call, body: markAll(body), markers: { ...markers, forAll: true } }
}

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

export function mayKeepPrefix(call: Call): boolean {
  const { body, markers, prompt, promptCache } = call
  // A thread's prefix is with the account that keeps it.
  if (!promptCache || call.usesThread) return false
  if (body === null || markers === null || prompt === null) return false
  return mayMarkAll({ ...call, body, markers, prompt })
}
