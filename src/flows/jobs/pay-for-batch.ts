// Whether what is left of a tenant's budget allows all of a batch, were each answer as long as it may be: nothing of a
// batch can be stopped once it is sent.
import { callPriceOf } from '../../core/money/cost.ts'
import { limitsOf } from '../../core/money/ledger/limits-of.ts'
import type { Services } from '../../ports.ts'
import type { StoredJob } from '../../ports/jobs.ts'
import { letIn } from '../authenticate.ts'

/** Throws where a store cannot be asked: then nobody knows. */
export async function canPayFor(
  { keys, ledgers, now }: Services,
  jobs: readonly StoredJob[],
): Promise<boolean> {
  const [first] = jobs
  if (first === undefined) return false
  const key = await keys.findKey(first.facts.key)
  const known = key === null ? null : letIn(key, now())
  // Each job says by itself what is wrong with its key.
  if (known?.kind !== 'caller') return false
  const limits = limitsOf(known.caller.tier)
  if (limits.dayNanoUsd === null && limits.monthNanoUsd === null) return true
  const { left } = await ledgers.report(first.facts.tenant, limits)
  const most = jobs.reduce((sum, { facts }) => sum + mostNanoUsd(facts), 0)
  return most <= Math.min(left.dayNanoUsd ?? Infinity, left.monthNanoUsd ?? Infinity)
}

/** At half price. */
function mostNanoUsd({ model, inputTokens, maxOutputTokens }: StoredJob['facts']): number {
  const { inputMost, output } = callPriceOf(model, inputTokens)
  return (inputTokens * inputMost + maxOutputTokens * output) / 2
}
