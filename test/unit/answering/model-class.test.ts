import fc from 'fast-check'
import { expect, test } from 'vitest'
import { modelClass } from '../../../src/core/answering/model-class.ts'

test.each([
  ['claude-sonnet-4-5-20250929', 'sonnet-4'],
  ['claude-sonnet-4-20250514', 'sonnet-4'],
  ['claude-sonnet-5', 'sonnet-5'],
  ['claude-opus-5-5', 'opus-5'],
  ['Claude-Opus-5', 'opus-5'],
  ['claude-haiku-5-5', 'haiku-5'],
  ['claude-haiku-4-5@20251001', 'haiku-4'],
  ['claude-fable-5-2', 'fable-5'],
  ['claude-opus-10', 'opus-10'],
  ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'sonnet-4'],
  ['claude-3-5-haiku-20241022', 'haiku-3'],
  ['claude-3-7-sonnet-latest', 'sonnet-3'],
  ['claude-3-opus-20240229', 'opus-3'],
  ['claude-3.5-sonnet', 'sonnet-3'],
  ['claude-2.1', 'claude-2.1'],
  ['claude-instant-1.2', 'instant-1'],
  ['gpt-9', 'gpt-9'],
  ['not-claude-sonnet-4', 'not-claude-sonnet-4'],
  ['claude-sonnet-20250514', 'claude-sonnet-20250514'],
  ['', 'any'],
])('%s is of class %s', (model, expected) => {
  expect(modelClass(model)).toBe(expected)
})

test('any name gives a short class', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (model) => {
      expect(modelClass(model).length).toBeLessThanOrEqual(64)
    }),
  )
})
