// The results as a table that a person reads.
import { type Checks, WAYS } from './checks.ts'
import type { Measurement } from './measure.ts'
import { type Figure, medianOf, ratioOf, type Results, roundsOf } from './results.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { median } from './stats.ts'
import { findTargets } from './targets.ts'

const SUBJECTS = [
  ['direct', 'no gateway'],
  ['floor', 'floor'],
  ['floor-again', 'floor again'],
  ['sluice', 'Sluice'],
  ['beside', 'Sluice beside'],
  ['beside-2', 'beside, second'],
  ['beside-3', 'beside, third'],
  ['beside-4', 'beside, fourth'],
  ['portkey', 'Portkey on Node'],
] as const

export function renderReport(results: Results): string {
  const { machine, plan, measured, missing, store } = results
  const scenarios = SCENARIOS.filter(({ name }) => measured[name] !== undefined)
  const rounds = `${plan.starts * plan.rounds} paired rounds over ${plan.starts} start${plan.starts === 1 ? '' : 's'}, ${plan.windowMs} ms each`
  return [
    '# What the gateway costs',
    '',
    `Made by \`npm run bench\`: ${rounds}, interleaved; medians, in brackets the ratio to the floor.`,
    `${machine.cores}; Node ${machine.node}, workerd ${machine.workerd} in \`workerd serve\`.`,
    results.pinned
      ? 'Each gateway alone on core 0; load, upstream and store on core 1.'
      : 'Nothing was pinned to a core: `taskset` is missing here, so ratios are rough.',
    'The floor is a Worker that passes requests on and does nothing else; it is measured twice as its own control.',
    `Sluice has everything on: keys in D1, two request windows in the store, the tenant's ledger (places, tokens, budget) and the account's gate, both with their storage on disk, metering, one line of log a call.`,
    store === 'lean'
      ? "The store answers the gateway's script by the same sums without an interpreter; Lua in JavaScript would take longer than the gateway."
      : 'The store is the embedded Redis.',
    ...Object.entries(missing).map(([name, why]) => `${name}: ${why}.`),
    '',
    '## CPU time of the gateway’s process, µs',
    '',
    ...cpuTable(scenarios, results),
    '',
    '## Speed',
    '',
    ...speedTable(scenarios, results),
    '',
    ...checksOf(results.checks),
    '## Goals',
    '',
    ...goalTable(results),
    '',
    busyNote(results),
    '',
  ].join('\n')
}

function cpuTable(scenarios: readonly Scenario[], results: Results): string[] {
  const shown = SUBJECTS.filter(([name]) => name !== 'direct' && isMeasured(results, name))
  const cpu: Figure = ({ cpuUs }) => cpuUs
  return [
    `| | for each | ${shown.map(([, title]) => title).join(' | ')} |`,
    `| --- | --- |${' --- |'.repeat(shown.length)}`,
    ...scenarios.map(({ name, title, unit }) => {
      const base = roundsOf(results, name, 'floor')
      const cells = shown.map(([subject]) => {
        const rounds = roundsOf(results, name, subject)
        if (rounds.length === 0) return '–'
        return `${number(medianOf(rounds, cpu))} (${ratioOf(rounds, base, cpu).toFixed(2)})`
      })
      return `| ${title} | ${unit} | ${cells.join(' | ')} |`
    }),
  ]
}

function speedTable(scenarios: readonly Scenario[], results: Results): string[] {
  const rows = scenarios.flatMap((scenario) =>
    SUBJECTS.filter(([subject]) => roundsOf(results, scenario.name, subject).length > 0).map(
      ([subject, title]) => {
        const rounds = roundsOf(results, scenario.name, subject)
        const of = (figure: Figure): string => number(medianOf(rounds, figure))
        const pair = (first: Figure, second: Figure): string =>
          Number.isNaN(medianOf(rounds, first)) ? '–' : `${of(first)} / ${of(second)}`
        return `| ${scenario.title} | ${title} | ${of((seen) => seen.perSecond)} | ${pair(
          (seen) => seen.p50Ms,
          (seen) => seen.p99Ms,
        )} | ${pair(
          (seen) => seen.firstByteP50Ms,
          (seen) => seen.firstByteP50Ms,
        ).replace(/ \/.*/, '')} | ${pair(
          (seen) => seen.lagP50Ms,
          (seen) => seen.lagP99Ms,
        )} | ${subject === 'direct' ? '–' : of((seen) => seen.rssMb)} | ${failuresOf(rounds)} |`
      },
    ),
  )
  return [
    'Milliseconds. Lag is from the upstream’s write of a token to the client’s read of it.',
    '',
    '| | | requests or deltas a second | p50 / p99 | first byte p50 | lag p50 / p99 | memory MB | failures |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ]
}

function failuresOf(rounds: readonly Measurement[]): string {
  const counts = new Map<string, number>()
  for (const { failures } of rounds) {
    for (const [what, count] of Object.entries(failures)) {
      counts.set(what, (counts.get(what) ?? 0) + count)
    }
  }
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || '0'
}

function checksOf(checks: Checks | null): string[] {
  if (checks === null) return []
  const { perRequest, leaving } = checks
  return [
    '## Counted',
    '',
    ...(perRequest === null
      ? []
      : [
          `A request on a warm path: ${perRequest.storeRoundTrips} store round trips (${perRequest.storeCommands} commands), ${perRequest.objectCallsBefore} object calls before the answer, side by side with it, ${perRequest.objectCallsAfter} after it (calls that end soon after one another share one), ${perRequest.upstreamCalls} calls to Claude.`,
          '',
        ]),
    'Streams left by their callers, and how many of the upstream calls were cut within 100 ms:',
    '',
    `| | ${WAYS.join(' | ')} |`,
    `| --- |${' --- |'.repeat(WAYS.length)}`,
    ...SUBJECTS.flatMap(([name, title]) => {
      const left = leaving.filter(({ subject }) => subject === name)
      if (left.length === 0) return []
      const cells = left.map(({ cutWithin100Ms, streams }) => `${cutWithin100Ms} of ${streams}`)
      return [`| ${title} | ${cells.join(' | ')} |`]
    }),
    '',
  ]
}

const goalTable = (results: Results): string[] => [
  '| | goal | measured | |',
  '| --- | --- | --- | --- |',
  ...findTargets(results).map(
    ({ title, goal, measured, met }) =>
      `| ${title} | ${goal} | ${measured} | ${met ? 'met' : 'missed'} |`,
  ),
]

/** A busy machine's figures are worth little: says how busy it was. */
function busyNote({ measured }: Results): string {
  const shares = Object.values(measured).flatMap((subjects) =>
    Object.values(subjects).flatMap((rounds) => rounds.map(({ othersShare }) => othersShare)),
  )
  const most = Math.max(0, ...shares)
  return `Other processes of the machine used ${Math.round(median(shares) * 100)} % of one core in the median window, ${Math.round(most * 100)} % at most.`
}

const isMeasured = ({ measured }: Results, subject: string): boolean =>
  Object.values(measured).some((subjects) => subjects[subject] !== undefined)

/** Three digits that mean something. */
function number(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (value >= 100) return String(Math.round(value))
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
