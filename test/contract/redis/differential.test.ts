// The embedded engine against a real redis-server: the same random commands, the same answers, error texts included.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Engine } from '../../../tools/redis/engine/engine.ts'
import type { Reply } from '../../../tools/redis/engine/reply.ts'
import { RedisConnection } from '../../../tools/redis/remote/connection.ts'
import { anyCommand } from './random-commands.ts'
import { hasRealRedis, startRealRedis } from './real-redis.ts'
import type { RealRedis } from './real-redis.ts'

/** Their answers have no order of their own. */
const unordered = new Set(
  'HGETALL HKEYS HVALS HSCAN SMEMBERS SINTER SUNION SDIFF SSCAN SPOP SRANDMEMBER ZSCAN KEYS SCAN'.split(
    ' ',
  ),
)

function comparable([name = '', ...args]: readonly string[], reply: Reply): unknown {
  const inner = name.startsWith('EVAL') ? (args[2] ?? '') : name
  // The two run some milliseconds apart: whether there is an expiry counts, not how much is left of it.
  if (inner.endsWith('TTL') || inner.endsWith('TIME')) return Math.min(Number(reply), 0)
  if (!unordered.has(inner) || !Array.isArray(reply)) return plain(reply)
  return reply.flat(3).map(String).toSorted()
}

const plain = (reply: Reply): unknown =>
  JSON.parse(JSON.stringify(reply, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))

describe.skipIf(!hasRealRedis)('the embedded engine and redis-server', () => {
  let server: RealRedis
  let connection: RedisConnection

  beforeAll(async () => {
    server = await startRealRedis()
    connection = new RedisConnection(server.url)
  })
  afterAll(async () => {
    await connection.close()
    await server.stop()
  })

  it('answer any sequence of commands alike', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyCommand, { minLength: 20, maxLength: 120 }),
        async (commands) => {
          const engine = new Engine()
          const [, ...theirs] = await connection.send([['FLUSHALL'], ...commands])
          for (const [at, command] of commands.entries()) {
            const ours = comparable(command, engine.run(command))
            expect({ command, reply: ours }).toEqual({
              command,
              reply: comparable(command, theirs[at] ?? null),
            })
          }
        },
      ),
      { numRuns: 150 },
    )
  })
})
