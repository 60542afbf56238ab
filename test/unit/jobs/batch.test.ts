// A batch's own steps, and what Claude says line by line.
import { expect, test } from 'vitest'
import {
  batchWakeAt,
  claimBatch,
  newBatch,
  noticedBatch,
  sentBatch,
  waitForBatch,
} from '../../../src/core/jobs/batch.ts'
import { readBatchResult } from '../../../src/core/jobs/batch-results.ts'

const made = {
  id: 'bat_1',
  tenant: 'acme',
  group: 'g',
  jobs: ['job_1'],
  rules: { pollMs: 5_000, noticeMs: 15_000 },
}
const by = (token: string) => ({ token, leaseMs: 60_000 })

test('a batch is at one runner at a time, and at the next when that one is silent', () => {
  const batch = newBatch(made, 0)
  const claimed = claimBatch(batch, by('a'), 0)
  if (claimed === null) throw new Error('It was not given')
  expect(claimed).toMatchObject({ sendings: 1, run: { token: 'a' } })
  expect(claimBatch(claimed, by('b'), 59_999)).toBeNull()
  expect(batchWakeAt(claimed)).toBe(60_000)
  expect(claimBatch(claimed, by('b'), 60_000)).toMatchObject({ sendings: 2, run: { token: 'b' } })
})

test('a batch that was sent is asked after, each time later, up to a minute', () => {
  let batch = sentBatch(newBatch(made, 0), { account: 'one', upstreamId: 'msgbatch_1' }, 0)
  expect(batch.dueAt).toBe(5_000)
  expect(claimBatch(batch, by('a'), 4_999)).toBeNull()
  const waits: number[] = []
  for (let n = 0; n < 8; n += 1) {
    batch = waitForBatch(batch, 0)
    waits.push(batch.dueAt)
  }
  expect(waits).toEqual([5_000, 7_500, 11_250, 16_875, 25_313, 37_969, 56_954, 60_000])
  expect(claimBatch(batch, by('a'), 60_000)?.sendings).toBe(0)
})

test('a message for a batch that nobody answers is sent again, ever later', () => {
  let batch = newBatch(made, 0)
  for (const at of [15_000, 45_000, 105_000]) {
    batch = noticedBatch(batch, batchWakeAt(batch))
    expect(batchWakeAt(batch)).toBe(at)
  }
})

const line = (result: unknown): string => JSON.stringify({ custom_id: 'job_1', result })

test('a result is read as it was written', () => {
  const message = '{"id":"msg_1","n":1.0,"content":[{"type":"text","text":"\\u00e9"}]}'
  const text = `{"custom_id":"job_1","result":{"type":"succeeded","message":${message}}}`
  expect(readBatchResult(text)).toEqual({ job: 'job_1', result: { kind: 'succeeded', message } })
})

test('an error of a result is told, whichever way it is wrapped', () => {
  const inner = { type: 'invalid_request_error', message: 'no' }
  const expected = { job: 'job_1', result: { kind: 'errored', error: inner } }
  const wrapped = { type: 'errored', error: { type: 'error', error: inner } }
  expect(readBatchResult(line(wrapped))).toEqual(expected)
  expect(readBatchResult(line({ type: 'errored', error: inner }))).toEqual(expected)
})

test('what was canceled or expired there was not made, and what makes no sense says nothing', () => {
  expect(readBatchResult(line({ type: 'expired' }))?.result).toEqual({ kind: 'not_made' })
  expect(readBatchResult(line({ type: 'canceled' }))?.result).toEqual({ kind: 'not_made' })
  for (const bad of ['', '{', 'null', '[]', '{"custom_id":"job_1"}', line({ type: 'succeeded' })]) {
    expect(readBatchResult(bad)).toBeNull()
  }
})
