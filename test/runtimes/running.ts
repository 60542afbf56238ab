// One gateway on a runtime with its world, for the cases that share it, and what they say to it.
import { afterAll, beforeAll } from 'vitest'
import { type CallOptions, claudeCall } from '../support/claude-call.ts'
import { type RawAnswer, type RawRequest, send } from '../support/raw-http.ts'
import {
  type LogLine,
  type RuntimeName,
  type RuntimeProcess,
  startRuntime,
} from './runtime-process.ts'
import { openRuntimeWorld, type RuntimeWorld } from './runtime-world.ts'

/** Set before the first case runs. */
export interface Running {
  world: RuntimeWorld
  gateway: RuntimeProcess
  /** A call of the enterprise tenant, unless another key is given. */
  call(options?: Partial<CallOptions>): RawRequest
  ask(options?: Partial<CallOptions>): Promise<RawAnswer>
  /** The log line of a request's attempt, once it has ended. */
  attemptOf(answer: Pick<RawAnswer, 'headers'>): Promise<LogLine>
}

export function useRuntime(
  runtime: RuntimeName,
  settings: Readonly<Record<string, string>> = {},
): Running {
  const running = {
    call: (options = {}) => claudeCall({ key: running.world.keys.enterprise, ...options }),
    ask: (options = {}) => send(running.gateway.url, running.call(options)),
    attemptOf: ({ headers }) =>
      running.gateway.awaitLine(
        (line) => line['event'] === 'attempt' && line['request_id'] === headers['request-id'],
      ),
  } as Running
  beforeAll(async () => {
    running.world = await openRuntimeWorld()
    running.gateway = await startRuntime({
      runtime,
      database: running.world.database,
      settings: { ...running.world.settings, ...settings },
    })
  })
  afterAll(async () => {
    await running.gateway.stop()
    await running.world.close()
  })
  return running
}
