// The same call once more, for the cache and not for its caller: it waits for nobody, and nobody waits for it.
import { LONGEST_LATER_MS } from '../../core/caching/early-refresh.ts'
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { Services } from '../../ports.ts'
import { type Call, newQueueState, newTiming, type RequestScope } from '../call.ts'
import { Tab } from '../tab.ts'

export const mayRefreshLater = ({ tookMs }: Pick<KeptAnswer, 'tookMs'>): boolean =>
  tookMs <= LONGEST_LATER_MS

/** Its caller's request has been counted. */
export function refreshCall(services: Services, call: Call): Call {
  const { scope } = call
  const own: RequestScope = {
    ...scope,
    requestId: `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 24)}`,
    startedAt: services.now(),
    signal: new AbortController().signal,
    timing: newTiming(),
    queue: newQueueState(),
  }
  const limits = { kind: 'allowed', windows: [], degraded: false } as const
  const again: Call = { ...call, scope: own, lane: 'low', maxWaitMs: 0, limits }
  return { ...again, tab: new Tab(services, again) }
}
