// A delivery's life: which answers end it, when it is tried again, and that it always ends.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  beginAttempt,
  type Delivery,
  disableDelivery,
  endAttempt,
  newDelivery,
  redeliver,
  type Sent,
} from '../../../src/core/webhooks/delivery.ts'

const NOW = 1_800_000_000_000
const SCHEDULE = [5_000, 300_000, 1_800_000]
const fresh = newDelivery({ id: 'msg_1', owner: 'acme', type: 'job.failed', url: null }, NOW)

const answered = (status: number, retryAfter: string | null = null): Sent => ({
  kind: 'answered',
  status,
  retryAfter,
})

const attempt = (delivery: Delivery, sent: Sent, at = NOW, random = 0): Delivery =>
  endAttempt(beginAttempt(delivery, 'https://a.example/', at), sent, at + 40, {
    scheduleMs: SCHEDULE,
    random,
  })

describe('a try', () => {
  it.each([200, 201, 204, 299])('that is answered with %i delivers', (status) => {
    const { state, dueAt, attempts, endedAt } = attempt(fresh, answered(status))
    expect({ state, dueAt, endedAt }).toEqual({
      state: 'succeeded',
      dueAt: null,
      endedAt: NOW + 40,
    })
    expect(attempts).toEqual([{ at: NOW, durationMs: 40, status, error: null }])
  })

  it.each([
    [301, 'redirect'],
    [307, 'redirect'],
    [304, 'redirect'],
    [100, 'status'],
    [400, 'status'],
    [404, 'status'],
    [429, 'status'],
    [500, 'status'],
    [503, 'status'],
  ])('that is answered with %i is tried again', (status, error) => {
    const tried = attempt(fresh, answered(status))
    expect(tried).toMatchObject({ state: 'pending', dueAt: NOW + 40 + 5_000, step: 1 })
    expect(tried.attempts.at(-1)).toMatchObject({ status, error })
  })

  it.each(['timeout', 'connection', 'interrupted'] as const)(
    'that ends by %s is tried again',
    (error) => {
      const tried = attempt(fresh, { kind: 'failed', error })
      expect(tried).toMatchObject({ state: 'pending', dueAt: NOW + 40 + 5_000 })
      expect(tried.attempts.at(-1)).toMatchObject({ status: null, error })
    },
  )

  it('that is answered with 410 ends it as disabled', () => {
    expect(attempt(fresh, answered(410, '5'))).toMatchObject({ state: 'disabled', dueAt: null })
  })

  it('whose name leads to an inner address ends it', () => {
    expect(attempt(fresh, { kind: 'failed', error: 'address_refused' }).state).toBe('failed')
  })
})

describe('the next try', () => {
  it('waits as long as the receiver asked for, in seconds or until a date', () => {
    const date = new Date(NOW + 3_600_000).toUTCString()
    expect(attempt(fresh, answered(503, '60')).dueAt).toBe(NOW + 40 + 60_000)
    expect(attempt(fresh, answered(429, date)).dueAt).toBe(NOW + 3_600_000)
  })

  it('never comes before the schedule, whatever the receiver says', () => {
    for (const retryAfter of ['0', '1', '-5', 'soon', new Date(0).toUTCString()]) {
      expect(attempt(fresh, answered(503, retryAfter)).dueAt).toBe(NOW + 40 + 5_000)
    }
  })

  it('is never put off for more than a day', () => {
    expect(attempt(fresh, answered(503, '99999999')).dueAt).toBe(NOW + 40 + 86_400_000)
  })

  it('is spread over a tenth of its delay', () => {
    expect(attempt(fresh, answered(500), NOW, 0.999_999).dueAt).toBe(NOW + 40 + 5_500)
  })
})

describe('a delivery', () => {
  it('ends after the last delay of the schedule', () => {
    let delivery = fresh
    for (let tries = 0; tries < SCHEDULE.length; tries += 1) {
      delivery = attempt(delivery, answered(500))
      expect(delivery.state).toBe('pending')
    }
    delivery = attempt(delivery, answered(500))
    expect(delivery).toMatchObject({ state: 'failed', dueAt: null, attemptCount: 4 })
  })

  it('begins its schedule anew where it is delivered again', () => {
    const again = redeliver(attempt(fresh, answered(410)), NOW + 9)
    expect(again).toMatchObject({ state: 'pending', step: 0, dueAt: NOW + 9, endedAt: null })
    expect(again.attempts).toHaveLength(1)
  })

  it('is not sent twice at a time: one that is under way goes on', () => {
    const sending = beginAttempt(fresh, 'https://a.example/', NOW)
    expect(redeliver(sending, NOW + 5)).toBe(sending)
  })

  const sents = fc.oneof(
    fc.integer({ min: 100, max: 599 }).map((status) => answered(status)),
    fc
      .constantFrom('timeout', 'connection', 'address_refused', 'interrupted')
      .map((error): Sent => ({ kind: 'failed', error: error as 'timeout' })),
  )

  it('has something due exactly while it is pending, ends in time, and counts every try', () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 6, arbitrary: sents },
        fc.constantFrom<'redeliver' | 'disable'>('redeliver', 'disable'),
      ),
    )
    fc.assert(
      fc.property(steps, fc.double({ min: 0, max: 0.999, noNaN: true }), (events, random) => {
        let delivery = fresh
        let now = NOW
        let sinceAsked = 0
        let tries = 0
        for (const event of events) {
          now += 1_000
          if (event === 'redeliver') {
            delivery = redeliver(delivery, now)
            sinceAsked = 0
          } else if (event === 'disable') {
            delivery = disableDelivery(delivery, now)
          } else if (delivery.state === 'pending') {
            now = Math.max(now, delivery.dueAt ?? now)
            delivery = attempt(delivery, event, now, random)
            tries += 1
            sinceAsked += 1
          }
          expect(delivery.dueAt !== null).toBe(delivery.state === 'pending')
          expect(delivery.endedAt === null).toBe(delivery.state === 'pending')
          expect(delivery.attemptCount).toBe(tries)
          expect(delivery.attempts.length).toBe(Math.min(tries, 20))
          if (sinceAsked > SCHEDULE.length) expect(delivery.state).not.toBe('pending')
        }
      }),
    )
  })
})
