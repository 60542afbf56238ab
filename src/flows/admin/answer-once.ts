// A POST with an `idempotency-key` is done once however often it comes: its answer is written in the transaction of
// its change, so there is no moment at which one is there without the other.
import { GatewayError } from '../../core/errors.ts'
import type { AdminWrite, StoredAnswer } from '../../ports/admin.ts'
import type { Services } from '../../ports.ts'
import { createKeyHasher } from '../hash-key.ts'
import type { AdminRequest } from './open-admin.ts'
import { createAnswerSealer } from './seal-answer.ts'

/** What a POST will change and say: decided before anything is written. */
export interface Plan {
  readonly status: 200 | 201
  readonly body: unknown
  commit(write: AdminWrite): Promise<unknown>
}

export interface PostRequest {
  readonly admin: AdminRequest
  readonly request: Request
  /** As it was sent. */
  readonly body: string
}

export type AnswerOnce = (post: PostRequest, plan: () => Promise<Plan>) => Promise<Response>

const ANSWER_KEPT_MS = 24 * 3_600_000
const KEY_SHAPE = /^[\x21-\x7e]{1,255}$/

export function createAnswerOnce(services: Services): AnswerOnce {
  const hash = createKeyHasher(services.config.keys.pepper)
  const sealer = createAnswerSealer(services.config.keys.pepper)

  const replay = async (stored: StoredAnswer, fingerprint: string): Promise<Response> => {
    const body = await sealer.unseal(stored.sealed, stored.name)
    if (stored.fingerprint !== fingerprint || body === null) {
      throw new GatewayError(
        'idempotency_mismatch',
        'idempotency-key: was sent before with another request',
      )
    }
    return answer(stored.status, body, { 'sluice-idempotent-replay': 'true' })
  }

  return async ({ admin, request, body }, makePlan) => {
    const key = request.headers.get('idempotency-key')
    if (key === null) {
      const plan = await makePlan()
      await plan.commit(admin.write(null))
      return answer(plan.status, JSON.stringify(plan.body))
    }
    if (!KEY_SHAPE.test(key)) {
      throw new GatewayError(
        'invalid_request',
        'idempotency-key: expected 1 to 255 printable characters without spaces',
      )
    }
    const [name, fingerprint] = await Promise.all([
      hash(`idempotency-key ${key}`),
      hash(`${request.method} ${new URL(request.url).pathname}\n${body}`),
    ])
    const find = () => admin.session.findAnswer(name, services.now() - ANSWER_KEPT_MS)
    const before = await find()
    if (before !== null) return replay(before, fingerprint)
    const plan = await makePlan()
    const said = JSON.stringify(plan.body)
    const sealed = await sealer.seal(said, name)
    try {
      await plan.commit(admin.write({ name, fingerprint, status: plan.status, sealed }))
    } catch (error) {
      // The same request, sent at the same moment, was the first.
      const first = await find()
      if (first === null) throw error
      return replay(first, fingerprint)
    }
    return answer(plan.status, said)
  }
}

const answer = (status: number, body: string, headers: Record<string, string> = {}): Response =>
  new Response(body, { status, headers: { 'content-type': 'application/json', ...headers } })
