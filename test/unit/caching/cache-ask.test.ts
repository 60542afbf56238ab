// What callers say to the response cache, and what of it is refused.
import { describe, expect, it } from 'vitest'
import { readCacheAsk, type CacheWords } from '../../../src/core/caching/cache-ask.ts'
import { readCacheControl } from '../../../src/core/caching/cache-control.ts'

const silent: CacheWords = { cacheControl: null, ttl: null, tags: null, scope: null }
const ask = (words: Partial<CacheWords>, tenantTtlSeconds: number | null = null) =>
  readCacheAsk({ ...silent, ...words }, { tenantTtlSeconds, ttlSeconds: 3600 })
const asked = (words: Partial<CacheWords>, tenantTtlSeconds: number | null = null) => {
  const read = ask(words, tenantTtlSeconds)
  if (read.kind !== 'ask') throw new Error(`It reads as ${read.kind}`)
  return read.ask
}

describe('the cache is asked', () => {
  it.each<Partial<CacheWords>>([
    {},
    { cacheControl: 'no-cache' },
    { cacheControl: 'max-stale' },
    { cacheControl: 'max-age=60, no-store' },
    { ttl: 'short', cacheControl: 'no-store' },
    { tags: 'a' },
  ])('not by %j', (words) => {
    expect(ask(words).kind).toBe('off')
  })

  it.each<Partial<CacheWords>>([
    { ttl: 'short' },
    { cacheControl: 'max-age=60' },
    { cacheControl: 'only-if-cached' },
  ])('by %j', (words) => {
    expect(ask(words).kind).toBe('ask')
  })

  it('by the tenant, unless the request will not have it', () => {
    expect(asked({}, 7).ttlSeconds).toBe(7)
    expect(ask({ cacheControl: 'no-store' }, 7).kind).toBe('off')
  })
})

it.each([
  ['short', 3_600],
  ['medium', 86_400],
  ['long', 604_800],
  ['1', 1],
  ['31536000', 31_536_000],
])('a life of %s is %i seconds, whatever the tenant set', (ttl, seconds) => {
  expect(asked({ ttl }, 7).ttlSeconds).toBe(seconds)
})

it('a life that nobody names is the usual one', () => {
  expect(asked({ cacheControl: 'max-age=5' }).ttlSeconds).toBe(3600)
})

it('says how old and how stale an answer may be', () => {
  expect(
    asked({ cacheControl: 'Max-Age=5, min-fresh="2", max-stale=9 ,stale-if-error=60' }),
  ).toMatchObject({
    reads: true,
    maxAgeSeconds: 5,
    minFreshSeconds: 2,
    maxStaleSeconds: 9,
    staleIfErrorSeconds: 60,
  })
  expect(asked({ ttl: '5', cacheControl: 'max-stale' }).maxStaleSeconds).toBe(Infinity)
  expect(asked({ ttl: '5' })).toMatchObject({ maxAgeSeconds: Infinity, maxStaleSeconds: 0 })
})

it('no-cache wants no kept answer but keeps its own', () => {
  expect(asked({ ttl: '5', cacheControl: 'no-cache' }).reads).toBe(false)
})

it('tags are a set, in one order', () => {
  expect(asked({ ttl: '5', tags: ' b, a ,b,,' }).tags).toEqual(['a', 'b'])
})

it.each<[string, Partial<CacheWords>]>([
  ['sluice-cache-ttl', { ttl: '' }],
  ['sluice-cache-ttl', { ttl: '0' }],
  ['sluice-cache-ttl', { ttl: '-1' }],
  ['sluice-cache-ttl', { ttl: 'Short' }],
  ['sluice-cache-ttl', { ttl: '31536001' }],
  ['sluice-cache-tags', { ttl: '5', tags: 'ü' }],
  ['sluice-cache-tags', { ttl: '5', tags: 'a b' }],
  ['sluice-cache-tags', { ttl: '5', tags: 'x'.repeat(65) }],
  ['sluice-cache-tags', { ttl: '5', tags: 'a,b,c,d,e,f,g,h,i' }],
  ['sluice-cache-scope', { ttl: '5', scope: 'world' }],
  ['cache-control: max-age', { cacheControl: 'max-age' }],
  ['cache-control: max-age', { cacheControl: 'max-age=-1' }],
  ['cache-control: max-stale', { cacheControl: 'max-stale=soon' }],
])('a wrong %s is named', (name, words) => {
  const read = ask(words)
  expect(read.kind).toBe('invalid')
  expect(read.kind === 'invalid' && read.message).toMatch(new RegExp(`^${name}: expected`))
})

it('directives that are not known are ignored, in quotes or not', () => {
  const read = readCacheControl('private="a, max-age=1", foo=bar, no-transform, max-age=4')
  expect(read).toMatchObject({ kind: 'read', control: { maxAge: 4, noStore: false } })
})
