// What Redis keeps, by one place that knows how it is reached: request limits, sessions and kept answers, asked together
// where a request needs several.
import type { Redis } from '@upstash/redis/cloudflare'
import type { Config } from '../../config.ts'
import type { LogLine, Services } from '../../ports.ts'
import { openRedis } from './client.ts'
import type { Command } from './commands.ts'
import { upstashAnswerStore } from './answer-store.ts'
import { noAnswers } from './no-answers.ts'
import { noSessions } from './no-sessions.ts'
import { upstashRequestLimits } from './request-limits.ts'
import { upstashSessionStore } from './session-store.ts'

export interface UpstashStoresOptions {
  readonly config: Config
  readonly now: () => number
  readonly log: (line: LogLine) => void
  /** See commands.ts. */
  readonly endsWithRequest?: boolean
}

export function upstashStores({
  config,
  now,
  log,
  endsWithRequest = false,
}: UpstashStoresOptions): Pick<Services, 'limits' | 'sessions' | 'answers'> {
  if (config.redis === null) {
    return {
      limits: upstashRequestLimits({ redis: null, around: config.limits, now, log }),
      sessions: noSessions,
      answers: noAnswers,
    }
  }
  const together = openRedis({ ...config.redis, readYourWrites: false, together: true })
  return {
    limits: upstashRequestLimits({
      redis: { ...config.redis, endsWithRequest },
      around: config.limits,
      together: (command) => runScript(together, command),
      now,
      log,
    }),
    answers: upstashAnswerStore({
      now,
      run: async ({ text, hash }, keys, args) => {
        const rest = [keys.length, ...keys, ...args]
        return runScript(together, ['EVALSHA', hash, ...rest]).catch((error: unknown) => {
          if (!String(error).includes('NOSCRIPT')) throw error
          return runScript(together, ['EVAL', text, ...rest])
        })
      },
    }),
    sessions: upstashSessionStore({
      redis: together,
      now,
      lifeMs: config.session.ttlSeconds * 1000,
      holdMs: config.gate.leaseTtlMs,
    }),
  }
}

/** `EVALSHA` and `EVAL` by the client, whose deadline holds. */
function runScript(redis: Redis, [name, script, ...rest]: Command): Promise<unknown> {
  const [count = 0, ...values] = rest
  const keys = values.slice(0, Number(count)).map(String)
  const args = values.slice(Number(count))
  return name === 'EVALSHA'
    ? redis.evalsha<(string | number)[], unknown>(String(script), keys, args)
    : redis.eval<(string | number)[], unknown>(String(script), keys, args)
}
