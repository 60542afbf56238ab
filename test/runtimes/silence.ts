// A stream in which nothing is said for longer than a server usually bears, not even a comment of ours.
import { claudeCall, eventsOf } from '../support/claude-call.ts'
import { send } from '../support/raw-http.ts'
import { type RuntimeName, startRuntime } from './runtime-process.ts'
import { openRuntimeWorld } from './runtime-world.ts'

/** Bun cuts after 10 s unless told not to. */
const SILENCE_MS = 12_000

export interface Silence {
  /** The name of the last event that came. */
  readonly lastEvent: Promise<string | undefined>
  close(): Promise<void>
}

export async function openSilence(runtime: RuntimeName): Promise<Silence> {
  const world = await openRuntimeWorld()
  const { database, settings } = world
  const gateway = await startRuntime({ runtime, database, settings })
  const call = claudeCall({
    key: world.keys.premium,
    fields: { stream: true },
    fault: `stall;after=4;ms=${SILENCE_MS}`,
  })
  const answering = send(gateway.url, { ...call, ownConnection: true })
  const lastEvent = answering.then(({ body }) => eventsOf(body).at(-1)?.event)
  // Whoever awaits it hears of a failure; nobody may be there yet.
  lastEvent.catch(() => {})
  return {
    lastEvent,
    close: async () => {
      await gateway.stop()
      await world.close()
    },
  }
}
