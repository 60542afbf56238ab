// What a run of the simulator can be told at its start. All of it has a default that suits tests:
// no waiting, no faults, limits that nobody reaches.
import type { Limits } from './rate-limits.ts'

export interface Settings {
  /** Names the run: the same seed and the same requests give the same answers. */
  seed: string
  /** Factor on the latency model; 0 is no waiting at all. */
  latencyScale: number
  /** Share of data-plane requests that get a fault of the mix. */
  faultRate: number
  faultMix: readonly string[]
  limits: Partial<Limits>
  journalSize: number
  hashBodies: boolean
  /** Bytes of each request body that the journal keeps; 0 keeps none. */
  keepBodyBytes: number
  maxBodyBytes: number
  batchMs: number
  batchCancelMs: number
  threadTtlMs: number
  /** False answers every thread as a platform without threads would. */
  threads: boolean
}

export const DEFAULT_SETTINGS: Settings = {
  seed: 'claude',
  latencyScale: 0,
  faultRate: 0,
  faultMix: ['529', '500', '429', 'reset', 'error;after=3', 'truncate;after=4', 'reset;after=3'],
  limits: {},
  journalSize: 10_000,
  hashBodies: true,
  keepBodyBytes: 0,
  maxBodyBytes: 32 * 1024 * 1024,
  batchMs: 500,
  batchCancelMs: 50,
  threadTtlMs: 300_000,
  threads: true,
}
