// Refusals: Claude's shape to the letter, and honest words to whoever may retry.
import type { Check } from '../check.ts'
import { ensureError, smallRequest } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { type Answer, readJson, type Target } from '../target.ts'

const group = 'errors'
const PATH = '/v1/messages'
const INVALID = { status: 400, type: 'invalid_request_error' }
const MISSING = { status: 404, type: 'not_found_error' }

export const errorChecks: readonly Check[] = [
  {
    group,
    name: 'a body that is no JSON is refused with 400',
    async run(target) {
      const answer = await target.call(PATH, { body: '{"model": "claude' })
      ensureError(answer, INVALID)
      ensureNoRetry(answer, target)
    },
  },
  {
    group,
    name: 'a body that is no object is refused with 400',
    async run(target) {
      for (const body of ['[]', '"hello"', 'null', '']) {
        ensureError(await target.call(PATH, { body }), INVALID)
      }
    },
  },
  {
    group,
    name: 'a missing max_tokens is refused with 400, by its name',
    async run(target) {
      const { max_tokens: _, ...body } = smallRequest(target.model)
      const answer = await target.call(PATH, { body })
      const { message } = ensureError(answer, INVALID)
      ensure(message.includes('max_tokens'), `the message does not name it: ${message}`)
      ensureNoRetry(answer, target)
    },
  },
  {
    group,
    name: 'a model that does not exist is refused with 404',
    async run(target) {
      const answer = await target.call(PATH, { body: smallRequest('claude-unheard-of-9') })
      ensureError(answer, MISSING)
      ensureNoRetry(answer, target)
    },
  },
  {
    group,
    name: 'a route that does not exist is refused with 404',
    async run(target) {
      const answer = await target.call('/v1/unheard-of', { body: {} })
      ensureError(answer, MISSING)
      if (!target.isSluice) return
      const reason = answer.headers.get('sluice-reason')
      ensure(reason === 'route_unknown', `sluice-reason is ${reason ?? 'absent'}`)
    },
  },
  {
    group,
    name: 'a refused stream is JSON with a status, not a stream',
    async run(target) {
      const body = smallRequest(target.model, { stream: true, max_tokens: -1 })
      ensureError(await target.call(PATH, { body }), INVALID)
    },
  },
  {
    group,
    name: 'the request id of a refusal is the same in header and body',
    sluiceOnly: true,
    async run(target) {
      // Of our own making: Claude's bodies keep Claude's ids.
      const answer = await target.call(PATH, { body: '{' })
      const inBody = readJson(answer)['request_id']
      const inHeader = answer.headers.get('request-id')
      ensure(
        inBody === inHeader,
        `${String(inBody)} in the body, ${inHeader ?? 'none'} in the header`,
      )
    },
  },
  {
    group,
    name: 'a retry-after is whole seconds within reason, and comes with a true x-should-retry',
    async run(target) {
      const answers = [
        await target.call(PATH, { body: '{' }),
        await target.call(PATH, { body: smallRequest('claude-unheard-of-9') }),
        await target.call(PATH, { body: smallRequest(target.model) }),
      ]
      for (const { status, headers } of answers.filter((answer) => answer.status >= 400)) {
        const seconds = headers.get('retry-after')
        const should = headers.get('x-should-retry')
        ensure(
          should === null || should === 'true' || should === 'false',
          `x-should-retry of a ${status} is ${should}`,
        )
        if (seconds === null) continue
        ensure(/^\d{1,4}$/.test(seconds), `retry-after of a ${status} is ${seconds}`)
        ensure(should !== 'false', `a ${status} has a retry-after, and x-should-retry: false`)
      }
    },
  },
]

/** Clients would otherwise guess by status, and repeat what cannot succeed. */
function ensureNoRetry(answer: Answer, target: Target): void {
  const should = answer.headers.get('x-should-retry')
  ensure(should !== 'true', `x-should-retry is true on a ${answer.status}`)
  if (target.isSluice && answer.headers.has('sluice-reason')) {
    ensure(should === 'false', `x-should-retry is ${should ?? 'absent'} on a ${answer.status}`)
  }
}
