// The cache of the data centre: nearer than Redis, shared by its isolates, and forgetful whenever it likes. Whether an
// answer of it is still good is for others to say.
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { ColoAnswers } from '../../ports/answers.ts'

const NAME = 'sluice-answers'
/** Of no one's: only this cache knows it. */
const addressOf = (hash: string): string => `https://answers.sluice.invalid/${hash}`
const FACTS = 'sluice-kept'
/** It is there to save time. */
const TIMEOUT_MS = 50

export function cloudflareColoAnswers(caches: Pick<CacheStorage, 'open'>): ColoAnswers {
  return {
    async find(hash) {
      try {
        return await within(TIMEOUT_MS, findIn(await caches.open(NAME), hash))
      } catch {
        return null
      }
    },
    async keep(hash, { body, ...facts }) {
      const seconds = Math.floor((facts.keptUntil - facts.storedAt) / 1000)
      if (seconds < 1) return
      try {
        const cache = await caches.open(NAME)
        const response = new Response(body as Uint8Array<ArrayBuffer>, {
          headers: {
            'cache-control': `max-age=${seconds}`,
            [FACTS]: encodeURIComponent(JSON.stringify(facts)),
          },
        })
        await cache.put(addressOf(hash), response)
      } catch {
        // Redis has it.
      }
    },
  }
}

async function findIn(cache: Cache, hash: string): Promise<KeptAnswer | null> {
  const response = await cache.match(addressOf(hash))
  const facts = response?.headers.get(FACTS) ?? null
  if (response === undefined || facts === null) return null
  const body = new Uint8Array(await response.arrayBuffer())
  return { ...(JSON.parse(decodeURIComponent(facts)) as Omit<KeptAnswer, 'body'>), body }
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
