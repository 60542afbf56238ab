// One command to Redis over Upstash's REST, for the hot path: the library's client makes a request of a dozen parts
// anew for each command and a timer for its deadline, which costs as much as the round trip itself. Headers are made
// once here, and the deadline is one of the request's.
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
  const { url, token, timeoutMs, endsWithRequest = false } = options
  const address = url.replace(/\/$/, '')
  const headers = new Headers({
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  })
  return async (command, waits) => {
    const body = JSON.stringify(command)
    if (endsWithRequest) {
      return waits.within(timeoutMs, ask(address, { method: 'POST', headers, body }))
    }
    const stop = new AbortController()
    const asking = ask(address, { method: 'POST', headers, body, signal: stop.signal })
    try {
      return await waits.within(timeoutMs, asking)
    } catch (error) {
      stop.abort()
      throw error
    }
  }
}

async function ask(address: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(address, init)
  const text = await response.text()
  const { result, error } = JSON.parse(text) as { result?: unknown; error?: unknown }
  if (!response.ok || error !== undefined) {
    throw new Error(`Redis refused with status ${response.status}: ${String(error)}`)
  }
  return result
}
