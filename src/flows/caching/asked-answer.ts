// A request that asks the cache: what it wants, and what its answer is called there.
import { answerKeyText } from '../../core/caching/answer-key.ts'
import { type CacheAsk, readCacheAsk } from '../../core/caching/cache-ask.ts'
import { marksOf } from '../../core/caching/generations.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import type { Call } from '../call.ts'
import { toHex } from '../hash-key.ts'

export interface AskedAnswer {
  readonly call: Call
  readonly ask: CacheAsk
  readonly hash: string
  /** The invalidations that would concern an answer to it. */
  readonly marks: readonly string[]
}

/** Null: it does not ask. Two headers and a setting are looked at, and nothing else. */
export function readAsk({ config }: Services, call: Call, headers: Headers): CacheAsk | null {
  const cacheControl = headers.get('cache-control')
  const ttl = headers.get('sluice-cache-ttl')
  const tenantTtlSeconds = call.caller.cacheTtlSeconds ?? null
  if (cacheControl === null && ttl === null && tenantTtlSeconds === null) return null
  const read = readCacheAsk(
    {
      cacheControl,
      ttl,
      tags: headers.get('sluice-cache-tags'),
      scope: headers.get('sluice-cache-scope'),
    },
    { tenantTtlSeconds, ttlSeconds: config.cache.ttlSeconds },
  )
  if (read.kind === 'invalid') throw new GatewayError('invalid_request', read.message)
  // A thread's answer belongs to what was said before, which is not here.
  return read.kind === 'off' || call.usesThread || call.body === null ? null : read.ask
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export async function askedAnswer(call: Call, ask: CacheAsk): Promise<AskedAnswer> {
  const { caller, user, model, headers } = call
  const text = answerKeyText({
    tenant: caller.tenant,
    scope: ask.scope,
    user,
    version: headers['anthropic-version'] ?? null,
    betas: headers['anthropic-beta'] ?? null,
    body: decoder.decode(call.body ?? new Uint8Array(0)),
  })
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  const hash = toHex(new Uint8Array(digest))
  const marks = marksOf({
    tenant: caller.tenant,
    user,
    model,
    keyId: caller.keyId,
    hash,
    tags: ask.tags,
  })
  return { call, ask, hash, marks }
}
