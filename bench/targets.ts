// The goals of the hot path, and whether a run met them.
import { type Figure, medianOf, ratioOf, type Results, roundsOf } from './results.ts'

export interface Target {
  readonly title: string
  readonly goal: string
  readonly measured: string
  readonly met: boolean
}

const cpu: Figure = ({ cpuUs }) => cpuUs
const firstByte: Figure = ({ firstByteP50Ms }) => firstByteP50Ms

/** Only those whose scenarios were measured. */
export function findTargets(results: Results): Target[] {
  const { checks } = results
  const targets = [
    ratio(results, 'json-16', 'CPU of a small JSON request', 4.5),
    ratio(results, 'json-100k', 'CPU of a JSON request of 100 KB', 3.3),
    ratio(results, 'json-1m', 'CPU of a JSON request of 1 MB', 1.8),
    besidePortkey(results),
    ratio(results, 'paced-32', 'CPU of a delta, 32 paced streams', 2.9),
    ratio(results, 'paced-64', 'CPU of a delta, 64 paced streams', 2.9),
    lag(results),
    addedFirstByte(results),
  ]
  if (checks?.perRequest) {
    const { storeRoundTrips, objectCallsBefore, objectCallsAfter } = checks.perRequest
    targets.push({
      title: 'Round trips and object calls of a warm request',
      goal: 'at most 1, and 2 before and 2 after the answer: gate and ledger',
      measured: `${storeRoundTrips}, ${objectCallsBefore} + ${objectCallsAfter}`,
      met: Math.round(storeRoundTrips) === 1 && objectCallsBefore <= 2 && objectCallsAfter <= 2,
    })
  }
  for (const { subject, how, streams, cutWithin100Ms } of checks?.leaving ?? []) {
    if (subject !== 'sluice') continue
    targets.push({
      title: `A caller’s leaving reaches Claude within 100 ms, ${how}`,
      goal: `${streams} of ${streams}`,
      measured: `${cutWithin100Ms} of ${streams}`,
      met: cutWithin100Ms === streams,
    })
  }
  return targets.filter((target) => target !== null)
}

function ratio(results: Results, scenario: string, title: string, most: number): Target | null {
  const rounds = roundsOf(results, scenario, 'sluice')
  const value = ratioOf(rounds, roundsOf(results, scenario, 'floor'), cpu)
  return Number.isNaN(value) ? null : atMost(title, most, value, 'floors')
}

function besidePortkey(results: Results): Target | null {
  const value = ratioOf(
    roundsOf(results, 'json-16', 'sluice'),
    roundsOf(results, 'json-16', 'portkey'),
    cpu,
  )
  return Number.isNaN(value)
    ? null
    : atMost('CPU of a small JSON request beside Portkey on Node', 1, value, 'of Portkey’s')
}

function lag(results: Results): Target | null {
  const value = medianOf(roundsOf(results, 'paced-32', 'sluice'), ({ lagP99Ms }) => lagP99Ms)
  return Number.isNaN(value) ? null : atMost('Token lag p99, 32 streams', 25, value, 'ms')
}

/** What a gateway adds to the way without one. */
function addedFirstByte(results: Results): Target | null {
  const [own, floor, without] = ['sluice', 'floor', 'direct'].map((subject) =>
    medianOf(roundsOf(results, 'first-byte', subject), firstByte),
  ) as [number, number, number]
  const value = (own - without) / (floor - without)
  return Number.isNaN(value)
    ? null
    : atMost('Added time to the first byte, 1 connection', 3, value, 'of the floor’s')
}

const atMost = (title: string, most: number, value: number, unit: string): Target => ({
  title,
  goal: `at most ${most} ${unit}`,
  measured: value.toFixed(2),
  met: value <= most,
})
