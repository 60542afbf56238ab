// Who may call, and what the others are told.
import { randomBytes } from 'node:crypto'
import { makeApiKey } from '../../../src/core/keys/api-key.ts'
import type { Check } from '../check.ts'
import { ensureError, smallRequest } from '../claude-shape.ts'
import { ensure } from '../failure.ts'
import { type Answer, ensureOk, type Target } from '../target.ts'

const group = 'keys'
const UNAUTHENTICATED = { status: 401, type: 'authentication_error' }
const COUNT = '/v1/messages/count_tokens'

export const authenticationChecks: readonly Check[] = [
  {
    group,
    name: 'a call without a key is refused with 401',
    async run(target) {
      const answer = await count(target, {})
      ensureError(answer, UNAUTHENTICATED)
      ensureReason(answer, target, 'key_missing')
    },
  },
  {
    group,
    name: 'a text that is no key is refused with 401',
    async run(target) {
      const answer = await count(target, { 'x-api-key': 'not-a-key' })
      ensureError(answer, UNAUTHENTICATED)
      ensureReason(answer, target, 'key_malformed')
    },
  },
  {
    group,
    name: 'a key with a wrong check is refused with 401',
    async run(target) {
      const answer = await count(target, { 'x-api-key': withWrongCheck(target.key) })
      ensureError(answer, UNAUTHENTICATED)
      if (target.key.startsWith('slk_')) ensureReason(answer, target, 'key_malformed')
    },
  },
  {
    group,
    name: 'a well-formed key that was never given out is refused with 401',
    sluiceOnly: true,
    async run(target) {
      const stranger = makeApiKey(randomBytes(256)).text
      const answer = await count(target, { 'x-api-key': stranger })
      ensureError(answer, UNAUTHENTICATED)
      ensureReason(answer, target, 'key_unknown')
      ensure(!answer.text.includes(stranger), 'the refusal repeats the key')
    },
  },
  {
    group,
    name: 'the key is accepted as x-api-key',
    run: async (target) => ensureOk(await count(target, { 'x-api-key': target.key })),
  },
  {
    group,
    name: 'the key is accepted as authorization: Bearer',
    sluiceOnly: true,
    run: async (target) => ensureOk(await count(target, { authorization: `Bearer ${target.key}` })),
  },
  {
    group,
    name: 'with both credentials, x-api-key counts',
    sluiceOnly: true,
    async run(target) {
      ensureOk(await count(target, { 'x-api-key': target.key, authorization: 'Bearer not-a-key' }))
      const answer = await count(target, {
        'x-api-key': 'not-a-key',
        authorization: `Bearer ${target.key}`,
      })
      ensureError(answer, UNAUTHENTICATED)
    },
  },
]

function count(target: Target, headers: Record<string, string>): Promise<Answer> {
  const { model, messages } = smallRequest(target.model)
  return target.call(COUNT, { body: { model, messages }, headers, withKey: false })
}

function ensureReason(answer: Answer, target: Target, reason: string): void {
  if (!target.isSluice) return
  const said = answer.headers.get('sluice-reason')
  ensure(said === reason, `sluice-reason is ${said ?? 'absent'} instead of ${reason}`)
}

/** The last character changed, as a typing error would. */
const withWrongCheck = (key: string): string => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
