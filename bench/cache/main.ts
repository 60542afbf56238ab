// What a hit of the response cache costs beside the floor's request, which goes to Claude, and beside the gateway's own
// that does. `node bench/cache/main.ts [rounds] [window ms]`; the table goes to bench/cache/RESULTS.md by hand.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NEIGHBOUR_CORE, pinSelf } from '../cores.ts'
import { measure, type Measurement } from '../measure.ts'
import { startNeighbours } from '../neighbours.ts'
import { SCENARIOS, type Scenario } from '../scenarios.ts'
import { median } from '../stats.ts'
import { floor, sluice, type Subject } from '../subjects.ts'

const [rounds = 9, windowMs = 750] = process.argv.slice(2).map(Number)
const WARM_WINDOWS = 3

pinSelf(NEIGHBOUR_CORE)
const dir = mkdtempSync(join(tmpdir(), 'cache-bench-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))

const json16 = SCENARIOS.find(({ name }) => name === 'json-16')
if (json16 === undefined) throw new Error('There is no scenario json-16')
const alone: Scenario = { ...json16, name: 'json-1', title: 'one connection', connections: 1 }

const neighbours = await startNeighbours('lean')
const options = { neighbours, dir }
const gateway = await sluice(options)
const asking = (name: string, headers: Readonly<Record<string, string>>): Subject => ({
  ...gateway,
  name,
  headers: { ...gateway.headers, ...headers },
})
const subjects = [
  await floor('floor', options),
  gateway,
  asking('hit', { 'sluice-cache-ttl': '86400' }),
]

const seen = new Map<string, Measurement[]>()
for (const scenario of [json16, alone]) {
  for (let window = 0; window < WARM_WINDOWS; window += 1) {
    for (const subject of subjects) await measure(subject, scenario, windowMs, neighbours)
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [at] of subjects.entries()) {
      const subject = subjects[(at + round) % subjects.length]
      if (subject === undefined) continue
      const measured = await measure(subject, scenario, windowMs, neighbours)
      const name = `${scenario.name} ${subject.name}`
      seen.set(name, [...(seen.get(name) ?? []), measured])
      if (Object.keys(measured.failures).length > 0) console.error(name, measured.failures)
    }
  }
}

const column = (name: string, read: (measured: Measurement) => number): number =>
  median((seen.get(name) ?? []).map(read))
console.log(
  '| connections | subject | requests a second | CPU µs | to the floor | p50 ms | p99 ms |',
)
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const scenario of [json16, alone]) {
  for (const { name } of subjects) {
    const of = `${scenario.name} ${name}`
    const ratios = (seen.get(of) ?? []).map(
      ({ cpuUs }, at) => cpuUs / (seen.get(`${scenario.name} floor`)?.[at]?.cpuUs ?? NaN),
    )
    const cells = [
      scenario.connections,
      name,
      Math.round(column(of, ({ perSecond }) => perSecond)),
      Math.round(column(of, ({ cpuUs }) => cpuUs)),
      median(ratios).toFixed(2),
      column(of, ({ p50Ms }) => p50Ms).toFixed(2),
      column(of, ({ p99Ms }) => p99Ms).toFixed(2),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}
const others = [...seen.values()].flat().map(({ othersShare }) => othersShare)
console.log(`Others used ${(median(others) * 100).toFixed(0)} % of a core meanwhile.`)
for (const subject of subjects.slice(0, 2)) await subject.stop()
await neighbours.stop()
