// A job is taken: checked as the call that it will be, counted as a request, kept. From then on it is not lost.
import type { Lane } from '../../core/admission/admission.ts'
import { isForwardedRequestHeader, withApiVersion } from '../../core/answering/header-policy.ts'
import { showTime } from '../../core/admin/times.ts'
import { GatewayError } from '../../core/errors.ts'
import type { JobMode, JobRules } from '../../core/jobs/job.ts'
import type { Caller, LimitDecision, Services } from '../../ports.ts'
import type { JobSubmission, Submitted, TakenJob } from '../../ports/jobs.ts'
import type { Call, RequestScope } from '../call.ts'
import { toHex } from '../hash-key.ts'
import type { Identifier } from '../identify.ts'
import { limitHeaders } from '../limit-headers.ts'
import { describeCall, readJsonBody } from '../read-call.ts'
import { limitError } from '../refuse-limit.ts'
import { checkWebhookAddress } from '../webhooks/check-address.ts'
import { ownerOf } from '../session-access.ts'
import { goesInBatch, groupOf } from './batch-group.ts'
import { type AskedJob, readAskedJob } from './read-job.ts'

export type JobTaker = (request: Request, scope: RequestScope) => Promise<Response>

/** Of a job that names no deadline. */
export const USUAL_LIFE_MS = 86_400_000
const LANES: readonly Lane[] = ['low', 'normal', 'high']
const ID_BYTES = 12
const MAX_KEY_CHARS = 255

export const createJobTaker =
  (services: Services, identify: Identifier): JobTaker =>
  async (request, scope) => {
    const caller = await identify(request, scope)
    const bytes = await readJsonBody(services, request)
    const asked = readAskedJob(bytes)
    const webhookUrl = asked.body.webhook?.url ?? null
    if (webhookUrl !== null) {
      const { allowedOrigins } = services.config.webhooks
      checkWebhookAddress(webhookUrl, { field: 'webhook.url', allowedOrigins })
    }
    const call = callOf(services, { request, scope, caller, asked })
    const { body } = asked
    const { deadline_seconds: deadlineSeconds = null, metadata = null } = body
    return submitJob(services, call, {
      request,
      hashed: bytes,
      lane: body.lane ?? call.lane,
      mode: body.mode ?? 'realtime',
      lifeMs: deadlineSeconds === null ? null : deadlineSeconds * 1000,
      webhookUrl,
      metadata: metadata === null ? null : JSON.stringify(metadata),
    })
  }

interface JobSource {
  readonly request: Request
  readonly scope: RequestScope
  readonly caller: Caller
  readonly asked: AskedJob
}

/** As it will go to Claude; what is wrong with it is said of the field where it stands. */
function callOf(services: Services, { request, scope, caller, asked }: JobSource): Call {
  const query = new URL(request.url).search
  const posed = new Request(`https://sluice.invalid/v1/messages${query}`, {
    headers: request.headers,
  })
  try {
    const body = asked.request
    const call = describeCall(services, { kind: 'messages', request: posed, scope, caller, body })
    if (!call.usesThread) return { ...call, headers: withApiVersion(call.headers) }
  } catch (error) {
    if (!(error instanceof GatewayError) || !/^\w+: /.test(error.message)) throw error
    const isField = error.reason === 'invalid_request' && !error.message.startsWith('sluice-')
    throw isField ? new GatewayError(error.reason, `request.${error.message}`) : error
  }
  throw new GatewayError('invalid_request', 'request.thread: a thread is over before a job may run')
}

export interface JobTerms {
  readonly request: Request
  /** What an idempotency key stands for. */
  readonly hashed: Uint8Array
  readonly lane: Lane
  readonly mode: JobMode
  /** null: as usual. */
  readonly lifeMs: number | null
  readonly webhookUrl: string | null
  readonly metadata: string | null
  /** More headers of the answer. */
  readonly headers?: Readonly<Record<string, string>>
}

/** 202, or throws the refusal. One request is counted, and given back where no new job comes of it. */
export async function submitJob(
  services: Services,
  call: Call,
  terms: JobTerms,
): Promise<Response> {
  const { caller, scope } = call
  const submission = await submissionOf(services, call, terms)
  const limits = await countRequest(services, call)
  let submitted: Submitted
  try {
    submitted = await services.jobs.submit(submission)
  } catch (error) {
    scope.defer(services.limits.refund(caller))
    throw error
  }
  if (submitted.kind !== 'taken') scope.defer(services.limits.refund(caller))
  if (submitted.kind === 'mismatch') {
    const message = 'idempotency-key: it was used for another request'
    throw new GatewayError('idempotency_mismatch', message)
  }
  if (submitted.kind === 'in_flight') {
    throw new GatewayError('idempotency_in_flight', 'This job is being taken just now')
  }
  return Response.json(showTaken(submitted.taken), {
    status: 202,
    headers: {
      ...limitHeaders(limits.windows, services.now()),
      ...terms.headers,
      location: `/v1/jobs/${submitted.taken.id}`,
      ...(submitted.kind === 'replay' ? { 'sluice-idempotent-replay': 'true' } : {}),
    },
  })
}

async function countRequest(services: Services, { caller, scope }: Call): Promise<LimitDecision> {
  const startedAt = services.now()
  const decision = await services.limits.take(caller, scope.waits)
  scope.timing.storeMs = services.now() - startedAt
  if (decision.kind === 'refused') throw limitError(decision, services.now())
  return decision
}

async function submissionOf(
  services: Services,
  call: Call,
  terms: JobTerms,
): Promise<JobSubmission> {
  const { caller, model, target, headers } = call
  const { mode, webhookUrl, metadata } = terms
  const lane = lowerOf(terms.lane, caller.tier.lane)
  const rules = rulesOf(services, terms.lifeMs)
  return {
    job: {
      id: `job_${toHex(crypto.getRandomValues(new Uint8Array(ID_BYTES)))}`,
      lane,
      mode,
      rules,
      group: goesInBatch(call, { lane, mode }, rules) ? groupOf(call) : null,
    },
    facts: {
      tenant: caller.tenant,
      key: caller.keyId,
      token: caller.token ?? null,
      user: call.user,
      owner: ownerOf(caller).user ?? '',
      model,
      inputTokens: call.estimatedInputTokens,
      maxOutputTokens: call.maxTokens ?? 0,
      target,
      headers: Object.fromEntries(
        Object.entries(headers).filter(([name]) => isForwardedRequestHeader(name)),
      ),
      metadata,
      webhookUrl,
    },
    request: call.body ?? new Uint8Array(0),
    idempotency: await idempotencyOf(call, terms),
  }
}

/** Never above the tier's. */
const lowerOf = (asked: Lane, most: Lane): Lane =>
  LANES.indexOf(asked) < LANES.indexOf(most) ? asked : most

const rulesOf = ({ config }: Services, lifeMs: number | null): JobRules => ({
  attempts: config.jobs.attempts,
  backoffMs: config.jobs.backoffSeconds.map((seconds) => seconds * 1000),
  resultTtlMs: config.jobs.resultTtlSeconds * 1000,
  lifeMs: lifeMs ?? USUAL_LIFE_MS,
  noticeMs: config.gate.leaseTtlMs / 4,
  // Time for an attempt by itself, its wait included.
  marginMs: config.jobs.timeoutMs + config.gate.queueWaitMs,
})

async function idempotencyOf(
  { caller }: Call,
  { request, hashed }: JobTerms,
): Promise<JobSubmission['idempotency']> {
  const key = request.headers.get('idempotency-key')
  if (key === null) return null
  if (key.length > MAX_KEY_CHARS || !/^[\x21-\x7e]+$/.test(key)) {
    throw new GatewayError(
      'invalid_request',
      `idempotency-key: expected 1 to ${MAX_KEY_CHARS} printable characters`,
    )
  }
  const digest = await crypto.subtle.digest('SHA-256', hashed as BufferSource)
  const { pathname } = new URL(request.url)
  // A page's keys are its own: another page must not be answered what this one was.
  return {
    key: JSON.stringify([ownerOf(caller).user, key]),
    bodyHash: `${pathname} ${toHex(new Uint8Array(digest))}`,
  }
}

const showTaken = ({ id, lane, mode, createdAt, place }: TakenJob) => ({
  id,
  status: 'queued',
  lane,
  mode,
  created_at: showTime(createdAt),
  place,
})
