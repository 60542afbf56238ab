// What Redis keeps, by one place that knows how it is reached: request limits, sessions and kept answers, asked together
// where a request needs several.
import type { Config } from '../../config.ts'
import type { LogLine, Services } from '../../ports.ts'
import { upstashAnswerStore } from './answer-store.ts'
import { noAnswers } from './no-answers.ts'
import { noSessions } from './no-sessions.ts'
import { openPipeline } from './pipeline.ts'
import { upstashRequestLimits } from './request-limits.ts'
import { separateWaits } from '../separate-waits.ts'
import { upstashSessionStore } from './session-store.ts'

export interface UpstashStoresOptions {
  readonly config: Config
  readonly now: () => number
  readonly log: (line: LogLine) => void
  /** See commands.ts. */
  readonly endsWithRequest?: boolean
}

type Arguments = readonly (string | number)[]

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
  const together = openPipeline({ ...config.redis, endsWithRequest })
  const run = (name: string, script: string, keys: readonly string[], args: Arguments) =>
    together([name, script, keys.length, ...keys, ...args], separateWaits)
  return {
    limits: upstashRequestLimits({
      redis: { ...config.redis, endsWithRequest },
      around: config.limits,
      together,
      now,
      log,
    }),
    answers: upstashAnswerStore({
      now,
      run: ({ text, hash }, keys, args, waits = separateWaits) => {
        const rest = [keys.length, ...keys, ...args]
        return together(['EVALSHA', hash, ...rest], waits).catch((error: unknown) => {
          if (!String(error).includes('NOSCRIPT')) throw error
          return together(['EVAL', text, ...rest], waits)
        })
      },
    }),
    sessions: upstashSessionStore({
      redis: {
        evalsha: (hash, keys, args) => run('EVALSHA', hash, keys, args),
        eval: (text, keys, args) => run('EVAL', text, keys, args),
      },
      now,
      lifeMs: config.session.ttlSeconds * 1000,
      holdMs: config.gate.leaseTtlMs,
    }),
  }
}
