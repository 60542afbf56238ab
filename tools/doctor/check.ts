// What a conformance check is: a name, and a run that passes, is not applicable here, or says why it failed.
import { CheckFailure, NotApplicable } from './failure.ts'
import type { Target } from './target.ts'

export interface Check {
  readonly group: string
  /** A sentence that is true when the check passes. */
  readonly name: string
  /** Only a Sluice gateway promises this; Claude itself, or another gateway, is not held to it. */
  readonly sluiceOnly?: boolean
  /** Throws where it fails; what it returns is shown as a note. */
  run(target: Target): Promise<string | void>
}

export interface CheckResult {
  readonly group: string
  readonly name: string
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Why it failed or was skipped, or a note of one that passed. */
  readonly reason: string
  readonly ms: number
}

export async function runCheck(check: Check, target: Target): Promise<CheckResult> {
  const { group, name } = check
  const startedAt = performance.now()
  const result = (outcome: CheckResult['outcome'], reason: string): CheckResult => ({
    group,
    name,
    outcome,
    reason,
    ms: Math.round(performance.now() - startedAt),
  })
  if (check.sluiceOnly === true && !target.isSluice) return result('skip', 'not a Sluice gateway')
  try {
    return result('pass', (await check.run(target)) ?? '')
  } catch (error) {
    if (error instanceof NotApplicable) return result('skip', error.message)
    return result('fail', reasonOf(error))
  }
}

/** fetch hides why in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof CheckFailure) return error.message
  if (error.name === 'TimeoutError') return 'no answer in time'
  const { cause } = error
  const below = cause instanceof Error ? `: ${cause.message}` : ''
  return `${error.message}${below}`
}
