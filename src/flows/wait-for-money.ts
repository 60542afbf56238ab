// At the end of a budget the calls that run may use up what is left. A newcomer is not refused while there is money: it
// asks again until they have ended, or for as long as a call may wait.
import { refusalOfTenant, toldLimit } from '../core/answering/tenant-refusal.ts'
import { GatewayError } from '../core/errors.ts'
import type { LedgerLeft } from '../core/money/ledger/words.ts'
import type { Services } from '../ports.ts'
import { untilAborted } from './ask-gate.ts'
import type { Call } from './call.ts'
import { ledgerUnavailable } from './judge-tenant.ts'
import { limitHeaders } from './limit-headers.ts'

export type Waited =
  | { readonly kind: 'granted'; readonly left: LedgerLeft }
  | { readonly kind: 'caller_gone' }
  | { readonly kind: 'refused'; readonly refusal: GatewayError }

export async function waitForMoney(
  services: Services,
  call: Call,
  firstAt: number,
): Promise<Waited> {
  const { tab, scope, maxWaitMs } = call
  const { queueWaitMs } = services.config.gate
  // A tier that rejects on overload waits here all the same: it is not refused with money left.
  const until = services.now() + (maxWaitMs > 0 ? maxWaitMs : queueWaitMs)
  let retryAt = firstAt
  for (;;) {
    const waitMs = Math.max(0, retryAt - services.now())
    if (tab === null || services.now() + waitMs > until) return { kind: 'refused', refusal: busy() }
    if ((await untilAborted(sleep(waitMs), scope.signal)) === null) return { kind: 'caller_gone' }
    const answer = await tab.reserve()
    switch (answer.kind) {
      case 'granted':
        return { kind: 'granted', left: answer.left }
      case 'busy':
        retryAt = answer.retryAt
        break
      case 'refused': {
        const now = services.now()
        const headers = limitHeaders([], now, { limits: tab.ask.limits, left: answer.left })
        const refusal = refusalOfTenant(answer.refusals.map(toldLimit), now, headers)
        return { kind: 'refused', refusal }
      }
      case 'unavailable':
        return { kind: 'refused', refusal: ledgerUnavailable() }
    }
  }
}

const BUSY_RETRY_MS = 1_000

const busy = (): GatewayError =>
  new GatewayError(
    'tenant_concurrency',
    'What is left of the budget may be used by the calls that run: it allows no more at a time',
    { retryAfterMs: BUSY_RETRY_MS },
  )

const sleep = (ms: number): Promise<true> =>
  new Promise((resolve) => setTimeout(() => resolve(true), ms))
