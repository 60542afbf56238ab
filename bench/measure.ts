// One scenario against one subject for one window: load, and what the subject's process used meanwhile.
import { cpuUsOf, rssKbOf, totalBusyUs } from './cores.ts'
import { Load } from './load/load.ts'
import { messageRequest } from './load/requests.ts'
import type { Neighbours } from './neighbours.ts'
import { LEAD_MS, type Scenario } from './scenarios.ts'
import { percentile } from './stats.ts'
import type { Subject } from './subjects.ts'

export interface Measurement {
  /** CPU time of the subject's process for each request or delta; 0 without a process. */
  readonly cpuUs: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly firstByteP50Ms: number
  readonly lagP50Ms: number
  readonly lagP99Ms: number
  readonly rssMb: number
  /** Shares of one core: the subject, load with neighbours, and everybody else on this machine. */
  readonly subjectShare: number
  readonly neighbourShare: number
  readonly othersShare: number
  readonly failures: Readonly<Record<string, number>>
}

export async function measure(
  subject: Subject,
  scenario: Scenario,
  windowMs: number,
  neighbours: Neighbours,
): Promise<Measurement> {
  const load = new Load({
    port: subject.port,
    request: messageRequest({
      bytes: scenario.bytes,
      ask: scenario.ask(windowMs),
      headers: subject.headers,
    }),
    connections: scenario.connections,
    deltas: scenario.deltas(windowMs),
    repeats: !scenario.isPaced,
    measuresLag: scenario.isPaced,
  })
  load.start()
  await sleep(LEAD_MS)
  const before = readUse(subject, neighbours)
  load.takeSeen()
  await sleep(windowMs)
  const seen = load.takeSeen()
  const after = readUse(subject, neighbours)
  await load.stop()

  const elapsedUs = after.atUs - before.atUs
  const subjectUs = after.subjectUs - before.subjectUs
  const neighbourUs = after.neighbourUs - before.neighbourUs
  const units = scenario.unit === 'delta' ? seen.deltas : seen.answers
  const ms = (values: readonly number[], share: number): number => percentile(values, share) / 1_000
  return {
    cpuUs: subjectUs / units,
    perSecond: (units / elapsedUs) * 1_000_000,
    p50Ms: ms(seen.latenciesUs, 0.5),
    p99Ms: ms(seen.latenciesUs, 0.99),
    firstByteP50Ms: ms(seen.firstBytesUs, 0.5),
    lagP50Ms: ms(seen.lagsUs, 0.5),
    lagP99Ms: ms(seen.lagsUs, 0.99),
    rssMb: rssKbOf(subject.pid) / 1_024,
    subjectShare: subjectUs / elapsedUs,
    neighbourShare: neighbourUs / elapsedUs,
    othersShare: Math.max(0, (after.busyUs - before.busyUs - subjectUs - neighbourUs) / elapsedUs),
    failures: Object.fromEntries(load.failures),
  }
}

function readUse(subject: Subject, neighbours: Neighbours) {
  return {
    atUs: performance.now() * 1_000,
    subjectUs: subject.pid === 0 ? 0 : cpuUsOf(subject.pid),
    neighbourUs: cpuUsOf(process.pid) + cpuUsOf(neighbours.pid),
    busyUs: totalBusyUs(),
  }
}

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms))
