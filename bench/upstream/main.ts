// The neighbours of the gateways as a process of its own: Claude and the store. Speaks to the benchmark over IPC.
import type { Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { BenchClaude, type UpstreamCounts } from './claude.ts'
import { BenchStore, type StoreCounts } from './store.ts'

export interface NeighboursReady {
  readonly claudePort: number
  readonly storePort: number
}

export interface NeighbourCounts {
  readonly upstream: UpstreamCounts
  readonly store: StoreCounts
}

const claude = new BenchClaude()
const store = new BenchStore()

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) =>
    server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port)),
  )

const ready: NeighboursReady = {
  claudePort: await listen(claude.server),
  storePort: await listen(store.server),
}
process.send?.(ready)
// Counts begin anew each time that they are asked for.
process.on('message', () => {
  const counts: NeighbourCounts = { upstream: claude.counts(), store: store.counts() }
  process.send?.(counts)
})
process.on('disconnect', () => process.exit(0))
