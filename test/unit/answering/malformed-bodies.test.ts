import { describe, expect, test } from 'vitest'
import { scanMessageRequest } from '../../../src/core/answering/message-request.ts'
import { malformedBodies, VALID_BODY } from './malformed-bodies.ts'

test('the body that they are made from is a good one', () => {
  expect(scanMessageRequest(new TextEncoder().encode(VALID_BODY)).kind).toBe('ok')
})

test('no two have the same name', () => {
  expect(new Set(malformedBodies.map(({ name }) => name)).size).toBe(malformedBodies.length)
  expect(malformedBodies.length).toBeGreaterThan(200)
})

describe('the scanner refuses, at once and with a short reason,', () => {
  test.each(malformedBodies.map((body) => [body.name.slice(0, 100), body] as const))(
    '%s',
    (...row) => {
      const [, { bytes, reason }] = row
      const body = bytes()
      const startedAt = performance.now()
      const result = scanMessageRequest(body)
      expect(performance.now() - startedAt).toBeLessThan(250)
      expect(result).toMatchObject({ kind: 'invalid', reason })
      expect(result.kind === 'invalid' && result.message.length).toBeLessThan(300)
    },
  )
})
