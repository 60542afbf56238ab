// The gateways' neighbours, started once for all of them on the core that the gateways do not use: Claude, the
// store, and the counts that they keep.
import { type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { startPart } from '../tools/dev/processes.ts'
import { NEIGHBOUR_CORE, spawnPinned } from './cores.ts'
import type { NeighbourCounts, NeighboursReady } from './upstream/main.ts'
import { end } from './workerd.ts'

export interface Neighbours {
  readonly pid: number
  readonly claudePort: number
  readonly storeUrl: string
  readonly storeToken: string
  /** Since they were last asked for. */
  takeCounts(): Promise<NeighbourCounts>
  stop(): Promise<void>
}

const TOKEN = 'bench-store-token'

/** @param store `lean` (see upstream/store.ts) or `bridge`: the embedded Redis with its Lua. */
export async function startNeighbours(store: 'lean' | 'bridge'): Promise<Neighbours> {
  const child = spawnPinned(
    NEIGHBOUR_CORE,
    [process.execPath, join(import.meta.dirname, 'upstream/main.ts')],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  const { claudePort, storePort } = await nextMessage<NeighboursReady>(child)
  const bridge = store === 'bridge' ? await startBridge() : null
  return {
    pid: child.pid ?? 0,
    claudePort,
    storeUrl: bridge?.url ?? `http://127.0.0.1:${storePort}`,
    storeToken: TOKEN,
    takeCounts() {
      const counts = nextMessage<NeighbourCounts>(child)
      child.send('counts')
      return counts
    },
    async stop() {
      await end(child)
      if (bridge !== null) await end(bridge.child)
    },
  }
}

/** Inherits our own core, which is the neighbours' too. */
async function startBridge(): Promise<{ url: string; child: ChildProcess }> {
  const script = join(import.meta.dirname, '../tools/redis/main.ts')
  const { child, ready } = await startPart<{ url: string }>(script, [
    '--port=0',
    `--token=${TOKEN}`,
    '--exit-with-parent',
  ])
  return { url: ready.url, child }
}

const nextMessage = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    const onExit = (): void =>
      reject(new Error('The neighbours of the gateways ended by themselves'))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as T)
    })
  })
