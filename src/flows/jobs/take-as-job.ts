// A caller that can wait says `prefer: respond-async`: where no account takes its call now, it gets a job instead of a
// refusal. What the tenant's own limits refuse stays refused.
import { GatewayError, type Reason } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import { answerCall, answerSilently } from '../answer-call.ts'
import type { Call } from '../call.ts'
import { submitJob } from './submit-job.ts'

const OVERLOADED: readonly Reason[] = [
  'accounts_throttled',
  'accounts_open',
  'queue_full',
  'queue_timeout',
  'draining',
  'gate_unavailable',
]

export async function answerOrTake(
  services: Services,
  request: Request,
  call: Call,
): Promise<Response> {
  if (call.usesThread || !prefersJob(request.headers)) return answerCall(services, call)
  const isQueued = call.caller.tier.onOverload === 'queue'
  try {
    return await answerSilently(services, isQueued ? { ...call, maxWaitMs: 0 } : call)
  } catch (error) {
    if (!isOverload(error)) throw error
    return submitJob(services, call, {
      request,
      hashed: call.body ?? new Uint8Array(0),
      lane: call.lane,
      mode: 'realtime',
      lifeMs: null,
      webhookUrl: null,
      metadata: null,
      headers: { 'preference-applied': 'respond-async', 'sluice-reason': error.reason },
    })
  }
}

const prefersJob = (headers: Headers): boolean =>
  (headers.get('prefer') ?? '')
    .split(/[,;]/)
    .some((part) => part.trim().toLowerCase() === 'respond-async')

/** Nothing was asked of Claude. */
const isOverload = (error: unknown): error is GatewayError =>
  error instanceof GatewayError &&
  OVERLOADED.includes(error.reason) &&
  error.headers['sluice-attempts'] === undefined
