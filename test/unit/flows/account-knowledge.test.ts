import { describe, expect, it } from 'vitest'
import { AccountKnowledge } from '../../../src/flows/account-knowledge.ts'

const open = { reason: 'open', retryAt: 60_000 }

describe('what an isolate knows of an account', () => {
  it('is its calls in flight, each counted once', () => {
    const known = new AccountKnowledge()
    known.admitted('a', 'm', 'l1', 0)
    known.admitted('a', 'm', 'l1', 0)
    known.admitted('a', 'm', 'l2', 0)
    expect(known.loadOf('a')).toBe(2)
    known.ended('l1')
    known.ended('l1')
    known.ended('unknown')
    expect([known.loadOf('a'), known.loadOf('b')]).toEqual([1, 0])
  })

  it('forgets a call whose end was never heard of', () => {
    const known = new AccountKnowledge()
    known.admitted('a', 'm', 'lost', 0)
    known.admitted('a', 'm', 'l', 3_600_000)
    expect(known.loadOf('a')).toBe(1)
  })

  it('is that a model class is shut, for a few seconds at most', () => {
    const known = new AccountKnowledge()
    known.refused('a', 'm', open, 0)
    expect([known.isShut('a', 'm', 4_999), known.isShut('a', 'm', 5_000)]).toEqual([true, false])
    expect(known.isShut('a', 'other', 0)).toBe(false)
    known.refused('a', 'm', { reason: 'throttled', retryAt: 700 }, 0)
    expect([known.isShut('a', 'm', 699), known.isShut('a', 'm', 700)]).toEqual([true, false])
  })

  it('is that one which is only throttled may be used all the same', () => {
    const known = new AccountKnowledge()
    known.refused('a', 'm', open, 0)
    known.refused('b', 'm', { reason: 'throttled', retryAt: null }, 0)
    expect([known.isUsable('a', 'm', 0), known.isUsable('b', 'm', 0)]).toEqual([false, true])
    expect(known.isUsable('never asked', 'm', 0)).toBe(true)
  })

  it('ends with the next call that is let in, and does not begin with a busy moment', () => {
    const known = new AccountKnowledge()
    known.refused('a', 'm', open, 0)
    known.admitted('a', 'm', 'l', 1)
    expect(known.isShut('a', 'm', 1)).toBe(false)
    for (const reason of ['full', 'queue_full', 'queue_timeout', 'cancelled', 'retry_budget']) {
      known.refused('a', 'm', { reason, retryAt: 60_000 }, 1)
    }
    expect(known.isShut('a', 'm', 1)).toBe(false)
  })

  it('is for a moment that its retries are used up, of whatever class', () => {
    const known = new AccountKnowledge()
    known.refused('a', 'm', { reason: 'retry_budget', retryAt: null }, 0)
    expect([known.mayRetry('a', 999), known.mayRetry('a', 1_000)]).toEqual([false, true])
    expect(known.mayRetry('b', 0)).toBe(true)
  })

  it('is bounded, whatever names of models callers make up', () => {
    const known = new AccountKnowledge()
    for (let n = 0; n < 3_000; n += 1) known.refused('a', `m${n}`, open, 0)
    expect([known.isShut('a', 'm0', 0), known.isShut('a', 'm2999', 0)]).toEqual([false, true])
  })
})
