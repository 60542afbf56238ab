// The part of the conformance suite about hashes, lists, sets and sorted sets.
import { expect, it } from 'vitest'
import type { Subject } from './conformance.ts'

export function describeCollections(subject: Subject): void {
  it('keeps hashes', async () => {
    const { redis, raw } = subject
    expect(await redis.hset('h', { a: 1, ö: { deep: true } })).toBe(2)
    expect(await redis.hgetall('h')).toEqual({ a: 1, ö: { deep: true } })
    expect(await redis.hmget('h', 'a', 'absent')).toEqual({ a: 1, absent: null })
    expect(await redis.hsetnx('h', 'a', 2)).toBe(0)
    expect(await redis.hincrby('h', 'a', 41)).toBe(42)
    expect(await redis.hincrbyfloat('h', 'a', 0.5)).toBe(42.5)
    expect((await redis.hkeys('h')).toSorted()).toEqual(['a', 'ö'])
    expect(await raw.hscan('h', 0, { match: 'a*' })).toEqual(['0', ['a', '42.5']])
    expect(await redis.hdel('h', 'a', 'ö', 'x')).toBe(2)
    expect(await redis.exists('h')).toBe(0)
    expect(await redis.hgetall('h')).toBeNull()
  })

  it('keeps lists', async () => {
    const { redis } = subject
    expect(await redis.rpush('l', 'b', 'c')).toBe(2)
    expect(await redis.lpush<unknown>('l', 'a', { x: 1 })).toBe(4)
    expect(await redis.lrange('l', 0, -1)).toEqual([{ x: 1 }, 'a', 'b', 'c'])
    expect(await redis.lpop('l')).toEqual({ x: 1 })
    expect(await redis.rpop('l', 2)).toEqual(['c', 'b'])
    expect(await redis.linsert('l', 'after', 'a', 'z')).toBe(2)
    expect(await redis.lpos('l', 'z')).toBe(1)
    expect(await redis.lset('l', -1, 'y')).toBe('OK')
    expect(await redis.lmove('l', 'm', 'left', 'right')).toBe('a')
    expect(await redis.ltrim('l', 1, 0)).toBe('OK')
    expect(await redis.exists('l')).toBe(0)
    await redis.rpush('m', 'x', 'a', 'x', 'a')
    expect(await redis.lrem('m', -2, 'a')).toBe(2)
    expect(await redis.lrange('m', 0, -1)).toEqual(['a', 'x', 'x'])
    await expect(redis.lset('m', 9, 'v')).rejects.toThrow('ERR index out of range')
  })

  it('keeps sets', async () => {
    const { redis } = subject
    expect(await redis.sadd('s', 'a', 'b', 'c', 'a')).toBe(3)
    expect(await redis.sadd('t', 'b', 'c', 'd')).toBe(3)
    expect((await redis.smembers('s')).toSorted()).toEqual(['a', 'b', 'c'])
    expect(await redis.smismember('s', ['a', 'x'])).toEqual([1, 0])
    expect((await redis.sinter('s', 't')).toSorted()).toEqual(['b', 'c'])
    expect(await redis.sunionstore('u', 's', 't')).toBe(4)
    expect(await redis.sdiff('s', 't')).toEqual(['a'])
    expect(await redis.smove('s', 't', 'a')).toBe(1)
    const popped = await redis.spop<string[]>('u', 2)
    expect(popped).toHaveLength(2)
    expect(await redis.scard('u')).toBe(2)
    expect(await redis.srandmember<string[]>('t', 10)).toHaveLength(4)
    expect(await redis.srem('s', 'b', 'c')).toBe(2)
    expect(await redis.exists('s')).toBe(0)
  })

  it('orders members by score, then by bytes', async () => {
    const { redis } = subject
    await redis.zadd(
      'z',
      { score: 2, member: 'b' },
      { score: 1, member: 'c' },
      { score: 2, member: 'a' },
      { score: -1.5, member: 'ü' },
    )
    expect(await redis.zrange('z', 0, -1)).toEqual(['ü', 'c', 'a', 'b'])
    expect(await redis.zrange('z', 0, 1, { rev: true, withScores: true })).toEqual(['b', 2, 'a', 2])
    expect(await redis.zrange('z', '(1', '+inf', { byScore: true })).toEqual(['a', 'b'])
    expect(
      await redis.zrange('z', 2, '-inf', { byScore: true, rev: true, offset: 1, count: 2 }),
    ).toEqual(['a', 'c'])
    expect(await redis.zrank('z', 'a')).toBe(2)
    expect(await redis.zrevrank('z', 'a')).toBe(1)
    expect(await redis.zcount('z', 1, '(2')).toBe(1)
    expect(await redis.zscore('z', 'ü')).toBe(-1.5)
    expect(await redis.zincrby('z', 10, 'ü')).toBe(8.5)
    expect(await redis.zpopmax('z')).toEqual(['ü', 8.5])
    expect(await redis.zremrangebyscore('z', 2, 2)).toBe(2)
    expect(await redis.zrem('z', 'c')).toBe(1)
    expect(await redis.exists('z')).toBe(0)
  })

  it('obeys the options of ZADD and ranges by member', async () => {
    const { redis } = subject
    await redis.zadd('z', { score: 5, member: 'a' })
    expect(await redis.zadd('z', { nx: true }, { score: 9, member: 'a' })).toBe(0)
    expect(await redis.zadd('z', { gt: true, ch: true }, { score: 4, member: 'a' })).toBe(0)
    expect(await redis.zadd('z', { gt: true, ch: true }, { score: 6, member: 'a' })).toBe(1)
    expect(await redis.zadd('z', { incr: true }, { score: 1, member: 'a' })).toBe(7)
    expect(await redis.zadd('z', { xx: true }, { score: 1, member: 'new' })).toBe(0)
    for (const member of ['a', 'b', 'c']) await redis.zadd('lex', { score: 0, member })
    expect(await redis.zrange('lex', '[b', '+', { byLex: true })).toEqual(['b', 'c'])
    expect(await redis.zrange('lex', '(c', '-', { byLex: true, rev: true })).toEqual(['b', 'a'])
    expect(await redis.zunionstore('sum', 2, ['z', 'lex'], { weights: [2, 1] })).toBe(3)
    expect(await redis.zscore('sum', 'a')).toBe(14)
  })
}
