// Whether a tenant's budget allows all of a batch: asked of its ledger as one call of their sum, at half price. Tokens a
// minute and concurrency are limits of calls, and Claude has its own for batches.
import { callPriceOf } from '../../core/money/cost.ts'
import { limitsOf } from '../../core/money/ledger/limits-of.ts'
import type { Services } from '../../ports.ts'
import type { StoredJob } from '../../ports/jobs.ts'
import { letIn } from '../authenticate.ts'

export async function canPayFor(
  services: Services,
  id: string,
  jobs: readonly StoredJob[],
): Promise<boolean> {
  const [first] = jobs
  if (first === undefined) return false
  const { facts } = first
  const key = await services.keys.findKey(facts.key)
  const known = key === null ? null : letIn(key, services.now())
  // Each job says by itself what is wrong with its key.
  if (known?.kind !== 'caller') return false
  const limits = limitsOf(known.caller.tier)
  if (limits.dayNanoUsd === null && limits.monthNanoUsd === null) return true
  const inputTokens = jobs.reduce((sum, each) => sum + each.facts.inputTokens, 0)
  const { input, inputMost, output } = callPriceOf(
    facts.model,
    Math.ceil(inputTokens / jobs.length),
  )
  const answer = await services.ledgers.reserve({
    id,
    tenant: facts.tenant,
    key: facts.key,
    user: facts.user,
    model: facts.model,
    at: services.now(),
    stream: false,
    inputTokens,
    maxOutputTokens: jobs.reduce((sum, each) => sum + each.facts.maxOutputTokens, 0),
    price: { input: input / 2, inputMost: inputMost / 2, output: output / 2 },
    ttlMs: services.config.gate.leaseTtlMs,
    maxWaitMs: 0,
    limits: {
      ...limits,
      maxConcurrent: null,
      inputTokensPerMinute: null,
      outputTokensPerMinute: null,
    },
    token: null,
    dry: true,
  })
  return answer.kind === 'granted'
}
