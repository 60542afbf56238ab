// Commands that are given at one moment, as one round trip to Redis over Upstash's REST: for a request that needs several
// parts of the store at once. As bare as commands.ts, for the same reason.
import type { Waits } from '../../ports.ts'
import type { Command, CommandOptions, RunCommand } from './commands.ts'

interface Gathering {
  readonly commands: Command[]
  readonly replies: Promise<readonly Reply[]>
}

interface Reply {
  readonly result?: unknown
  readonly error?: unknown
}

/** A command given so many steps of the same moment later still goes along. */
const STEPS = 4

export function openPipeline(options: CommandOptions): RunCommand {
  const { url, token, timeoutMs, endsWithRequest = false } = options
  const address = url.replace(/\/$/, '')
  const headers = new Headers({
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
  })
  let gathering: Gathering | null = null

  const send = async (commands: readonly Command[], waits: Waits): Promise<readonly Reply[]> => {
    for (let step = 0; step < STEPS; step += 1) await Promise.resolve()
    gathering = null
    const [only] = commands
    const isAlone = commands.length === 1
    const stop = endsWithRequest ? null : new AbortController()
    const asking = ask(isAlone ? address : `${address}/pipeline`, {
      method: 'POST',
      headers,
      body: JSON.stringify(isAlone ? only : commands),
      ...(stop === null ? {} : { signal: stop.signal }),
    })
    try {
      const answer = await waits.within(timeoutMs, asking)
      return isAlone ? [answer as Reply] : (answer as readonly Reply[])
    } catch (error) {
      stop?.abort()
      throw error
    }
  }

  return async (command, waits) => {
    if (gathering === null) {
      const commands: Command[] = []
      gathering = { commands, replies: send(commands, waits) }
    }
    const { commands, replies } = gathering
    const at = commands.push(command) - 1
    const reply = (await replies)[at]
    if (reply === undefined || reply.error !== undefined) {
      throw new Error(`Redis refused: ${String(reply?.error)}`)
    }
    return reply.result
  }
}

async function ask(address: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(address, init)
  const text = await response.text()
  const answer: unknown = JSON.parse(text)
  // A refused command says so by itself.
  if (!response.ok && !text.includes('"error"')) {
    throw new Error(`Redis refused with status ${response.status}`)
  }
  return answer
}
