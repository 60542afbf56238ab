// What is measured: the shape of the traffic. Each scenario runs for every subject in every round.
import { burst, paced } from './upstream/claude.ts'

export interface Scenario {
  readonly name: string
  readonly title: string
  /** What CPU time is counted for. */
  readonly unit: 'request' | 'delta'
  readonly connections: number
  /** Bytes of the request's body, about. */
  readonly bytes: number
  /** Deltas of each answer for a window of so long; 0: a JSON answer. */
  deltas(windowMs: number): number
  /** What the upstream is asked to do. */
  ask(windowMs: number): string
  /** Paced streams are all opened once; anything else is sent again and again. */
  readonly isPaced: boolean
  /** Part of the short run for daily use. */
  readonly isQuick: boolean
}

/** Before a window begins, traffic flows for so long; paced streams outlive it by as much. */
export const LEAD_MS = 250
const DELTAS_PER_MS = 0.2
const BURST = 1_000
const SHORT = 10

const json = (name: string, title: string, bytes: number, connections: number): Scenario => ({
  name,
  title,
  unit: 'request',
  connections,
  bytes,
  deltas: () => 0,
  ask: () => '',
  isPaced: false,
  isQuick: name !== 'json-10k' && name !== 'json-64',
})

const pacedDeltas = (windowMs: number): number =>
  Math.ceil((windowMs + 2 * LEAD_MS) * DELTAS_PER_MS)

const stream = (
  name: string,
  title: string,
  connections: number,
  ask: { deltas?: number; isQuick: boolean },
): Scenario => ({
  name,
  title,
  unit: 'delta',
  connections,
  bytes: 300,
  deltas: (windowMs) => ask.deltas ?? pacedDeltas(windowMs),
  ask: (windowMs) => (ask.deltas === undefined ? paced(pacedDeltas(windowMs)) : burst(ask.deltas)),
  isPaced: ask.deltas === undefined,
  isQuick: ask.isQuick,
})

export const SCENARIOS: readonly Scenario[] = [
  json('json-1', 'JSON, small, 1 connection', 300, 1),
  json('json-16', 'JSON, small, 16 connections', 300, 16),
  json('json-64', 'JSON, small, 64 connections', 300, 64),
  json('json-10k', 'JSON, body of 10 KB, 16 connections', 10_000, 16),
  json('json-100k', 'JSON, body of 100 KB, 16 connections', 100_000, 16),
  json('json-1m', 'JSON, body of 1 MB, 4 connections', 1_000_000, 4),
  stream('first-byte', `stream of ${SHORT} deltas, 1 connection`, 1, {
    deltas: SHORT,
    isQuick: true,
  }),
  stream('paced-32', '32 streams, 200 deltas/s each', 32, { isQuick: true }),
  stream('paced-64', '64 streams, 200 deltas/s each', 64, { isQuick: false }),
  stream('burst-1', `bursts of ${BURST} deltas, 1 connection`, 1, {
    deltas: BURST,
    isQuick: false,
  }),
  stream('burst-16', `bursts of ${BURST} deltas, 16 connections`, 16, {
    deltas: BURST,
    isQuick: true,
  }),
]
