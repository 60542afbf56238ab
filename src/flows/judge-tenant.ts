// Do the tenant's own limits let this call in? Null: yes, or as soon as money is free. Else every limit that refuses is
// named, of its request windows and of its ledger alike.
import { refusalOfTenant, type ToldLimit, toldLimit } from '../core/answering/tenant-refusal.ts'
import { GatewayError } from '../core/errors.ts'
import { needsLedger } from '../core/money/ledger/limits-of.ts'
import type { LedgerLeft, Reservation } from '../core/money/ledger/words.ts'
import type { LedgerUnavailable, LimitDecision, Services } from '../ports.ts'
import type { Call } from './call.ts'
import { ledgerState, limitHeaders } from './limit-headers.ts'
import { toldWindows } from './refuse-limit.ts'

export type LedgerAnswer = Reservation | LedgerUnavailable

export function judgeTenant(
  services: Services,
  call: Call,
  decision: LimitDecision,
  answer: LedgerAnswer | null,
): GatewayError | null {
  const now = services.now()
  const told: ToldLimit[] = [
    ...(decision.kind === 'refused' ? toldWindows(decision, now) : []),
    ...(answer?.kind === 'refused' ? answer.refusals.map(toldLimit) : []),
  ]
  if (told.length > 0) {
    const ledger = ledgerState(call, leftBy(answer))
    return refusalOfTenant(told, now, limitHeaders(decision.windows, now, ledger))
  }
  if (answer?.kind !== 'unavailable' || call.tab === null) return null
  // Without a limit that only the ledger knows the call goes on, and its bill is told when the ledger is back.
  return needsLedger(call.tab.ask) ? ledgerUnavailable() : null
}

/** Null: it was not asked, or did not say. */
export const leftBy = (answer: LedgerAnswer | null): LedgerLeft | null =>
  answer !== null && 'left' in answer ? answer.left : null

export const ledgerUnavailable = (): GatewayError =>
  new GatewayError('ledger_unavailable', "This tenant's ledger cannot be reached")
