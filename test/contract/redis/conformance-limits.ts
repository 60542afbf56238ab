// The part of the conformance suite about @upstash/ratelimit: every algorithm, exact under concurrency.
import { Ratelimit } from '@upstash/ratelimit'
import { describe, expect, it } from 'vitest'
import type { Subject } from './conformance.ts'

// Windows of 30 days: no boundary falls into a test run, and their milliseconds need more than 31 bits.
const window = '30 d'

const algorithms = {
  fixedWindow: () => Ratelimit.fixedWindow(100, window),
  slidingWindow: () => Ratelimit.slidingWindow(100, window),
  tokenBucket: () => Ratelimit.tokenBucket(100, window, 100),
} as const

export function describeLimits(subject: Subject): void {
  describe.for(Object.entries(algorithms))('%s', ([, limiter]) => {
    const open = (options: { readonly dynamicLimits?: boolean } = {}) =>
      new Ratelimit({
        redis: subject.redis,
        limiter: limiter(),
        ephemeralCache: false,
        prefix: 'limits',
        ...options,
      })

    it('grants exactly the limit to many callers at once', async () => {
      const limit = open()
      const answers = await Promise.all(Array.from({ length: 200 }, () => limit.limit('caller')))
      expect(answers.filter(({ success }) => success)).toHaveLength(100)
      expect((await limit.limit('other')).success).toBe(true)
    })

    it('tells what remains, and forgets what was used when asked to', async () => {
      const limit = open()
      await limit.limit('caller', { rate: 30 })
      expect(await limit.getRemaining('caller')).toMatchObject({ remaining: 70, limit: 100 })
      await limit.limit('bystander')
      await limit.resetUsedTokens('caller')
      expect(await limit.getRemaining('caller')).toMatchObject({ remaining: 100 })
      expect(await limit.getRemaining('bystander')).toMatchObject({ remaining: 99 })
    })

    it('gives tokens back for a negative rate', async () => {
      const limit = open()
      await limit.limit('caller', { rate: 10 })
      await limit.limit('caller', { rate: -4 })
      expect(await limit.getRemaining('caller')).toMatchObject({ remaining: 94 })
    })

    it('obeys a limit that was changed at run time', async () => {
      const limit = open({ dynamicLimits: true })
      await limit.setDynamicLimit({ limit: 3 })
      expect(await limit.getDynamicLimit()).toEqual({ dynamicLimit: 3 })
      const answers = await Promise.all(Array.from({ length: 10 }, () => limit.limit('caller')))
      expect(answers.filter(({ success }) => success)).toHaveLength(3)
      await limit.setDynamicLimit({ limit: false })
      expect(await limit.limit('next')).toMatchObject({ success: true, limit: 100, remaining: 99 })
    })
  })

  it('lets a bucket refill with time', async () => {
    const { redis } = subject
    const limiter = Ratelimit.tokenBucket(1, '50 ms', 1)
    const limit = new Ratelimit({ redis, limiter, ephemeralCache: false })
    expect((await limit.limit('caller')).success).toBe(true)
    await expect.poll(async () => (await limit.limit('caller')).success, { interval: 5 }).toBe(true)
  })

  it('lets what a window counted expire by itself', async () => {
    const { redis } = subject
    const limiter = Ratelimit.fixedWindow(5, '100 ms')
    const limit = new Ratelimit({ redis, limiter, ephemeralCache: false, prefix: 'short' })
    await limit.limit('caller')
    await expect.poll(() => redis.keys('short*'), { interval: 10 }).toEqual([])
  })
}
