// Upstash's client with a way to Redis of our own, for the hot path: the client's own makes a request of a dozen parts anew
// for each command and a timer for its deadline, which costs as much as the round trip itself. Headers are made once
// here, and the deadline is one of the request's.
import { Redis, type Requester } from '@upstash/redis'
import type { Waits } from '../../ports.ts'

export interface CommandOptions {
  readonly url: string
  readonly token: string
  /** After that a command is given up, whatever of its answer has come. */
  readonly timeoutMs: number
  /** True: the platform ends what a request left open when the request ends, so nothing needs a signal, which costs. */
  readonly endsWithRequest?: boolean
}

export type Command = readonly [name: string, ...args: (string | number)[]]

/** Throws when Redis does not answer in time, or refuses; values are as Redis gave them. */
export type RunCommand = (command: Command, waits: Waits) => Promise<unknown>

export function openCommands(options: CommandOptions): RunCommand {
  const redis = new Redis(openRequester(options))
  return ([name, ...args], waits) => waits.within(options.timeoutMs, redis.exec([name, ...args]))
}

function openRequester(options: CommandOptions): Requester {
  const { url, token, timeoutMs, endsWithRequest = false } = options
  const address = url.replace(/\/$/, '')
  const headers = new Headers({
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  })
  return {
    async request<Result>({ body }: { readonly body?: unknown }) {
      const response = await fetch(address, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        ...(endsWithRequest ? {} : { signal: AbortSignal.timeout(timeoutMs) }),
      })
      const text = await response.text()
      const answer = JSON.parse(text) as { result?: Result; error?: string }
      if (!response.ok || answer.error !== undefined) {
        throw new Error(`Redis refused with status ${response.status}: ${String(answer.error)}`)
      }
      return answer
    },
  }
}
