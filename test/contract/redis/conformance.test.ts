import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { startRedisBridge } from '../../../tools/redis/server.ts'
import { describeRedisConformance } from './conformance.ts'
import { hasRealRedis, startRealRedis } from './real-redis.ts'

describeRedisConformance('the embedded Redis in memory', () => startRedisBridge())

describeRedisConformance('the embedded Redis with persistence', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'redis-'))
  const bridge = await startRedisBridge({ dir })
  return {
    ...bridge,
    async close() {
      await bridge.close()
      rmSync(dir, { recursive: true })
    },
  }
})

describe.skipIf(!hasRealRedis)('with redis-server on this machine', () => {
  describeRedisConformance('redis-server behind the bridge', async () => {
    const server = await startRealRedis()
    const bridge = await startRedisBridge({ redisUrl: server.url })
    return {
      ...bridge,
      async close() {
        await bridge.close()
        await server.stop()
      },
    }
  })
})
