// Another model's name in the caller's own bytes: whatever stands around it stays as it was written.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Account } from '../../../src/core/answering/account.ts'
import { scanMessageRequest } from '../../../src/core/answering/message-request.ts'
import type { Call } from '../../../src/flows/call.ts'
import { downgradeCall } from '../../../src/flows/downgrade-call.ts'
import { anAccount } from '../../contract/account-gates.ts'
import { callerWith } from '../../support/callers.ts'

const CHEAP = 'claude-haiku-4-5'
const accounts: readonly Account[] = [anAccount('a')]

/** What the splice looks at of a call, and no more. */
const callOf = (body: Uint8Array): Call => {
  const scan = scanMessageRequest(body)
  if (scan.kind !== 'ok') throw new Error(scan.message)
  return {
    kind: 'messages',
    caller: callerWith({ onOverload: 'downgrade', downgradeTo: CHEAP }),
    body,
    model: scan.facts.model,
    modelSpan: scan.facts.modelSpan,
    usesThread: false,
  } as Partial<Call> as Call
}

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 4 })
const key = fc.constantFrom('"model"', '"mod\\u0065l"')
const name = fc.constantFrom('"m"', '"claude-opus-5"', '"a\\u0062\\"c"', '"ü"')

it('changes nothing but the name', () => {
  fc.assert(
    fc.property(space, key, name, fc.json({ maxDepth: 3 }), (gap, field, model, other) => {
      const before = `{${gap}"x":${other},"messages":[{"model":"no"}],"max_tokens":1.0e0,${gap}${field}${gap}:${gap}`
      const after = `${gap},"metadata":{"user_id":"\\"model\\":"}}`
      const encode = (text: string) => new TextEncoder().encode(before + text + after)
      fc.pre(scanMessageRequest(encode(model)).kind === 'ok')
      const cheaper = downgradeCall(callOf(encode(model)), accounts)
      expect(new TextDecoder().decode(cheaper?.body ?? new Uint8Array())).toBe(
        `${before}"${CHEAP}"${after}`,
      )
      expect(cheaper?.model).toBe(CHEAP)
      // It is as cheap as it gets.
      expect(downgradeCall(callOf(encode(`"${CHEAP}"`)), accounts)).toBeNull()
    }),
  )
})
