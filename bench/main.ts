// `npm run bench`: one run over all subjects, interleaved, with a table of what each costs beside the floor.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Checks, runChecks } from './checks.ts'
import { canPin, NEIGHBOUR_CORE, pinSelf } from './cores.ts'
import { type Measurement, measure } from './measure.ts'
import { startNeighbours } from './neighbours.ts'
import { describeMachine } from './machine.ts'
import { profile } from './profile.ts'
import { renderReport } from './report.ts'
import type { Results } from './results.ts'
import { runRobustness } from './robust.ts'
import { renderRobustness } from './robust-report.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { direct, floor, portkey, sluice, type Subject, type SubjectOptions } from './subjects.ts'

const usage = `npm run bench -- [--quick] [--only NAME,…] [--robust]
  --quick        about a minute, one start, the control and half of the scenarios left out; writes no table
  --only NAMES   only these scenarios or subjects: ${SCENARIOS.map(({ name }) => name).join(' ')}
                 direct floor floor-again sluice portkey
  --robust       malformed input, 100,000 requests, 1,000 streams, callers that leave; no speed
  --rounds N     paired rounds of each start (7)
  --starts N     how often all are started anew (2)
  --window MS    how long a scenario is measured in a round (750)
  --store S      lean (default) or bridge: what answers for Redis
  --entry FILE   another doorway for Sluice, for experiments
  --beside FILES one more Sluice for each of these doorways, of other clones: before and after in one run
  --profile NAME where Sluice spends its JavaScript in this scenario
`

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    robust: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    starts: { type: 'string' },
    window: { type: 'string' },
    store: { type: 'string', default: 'lean' },
    entry: { type: 'string' },
    beside: { type: 'string' },
    profile: { type: 'string' },
  },
})

/** Requests or deltas that each subject has handled before anything counts. */
const WARM = values.quick
  ? { 'json-16': 2_000, 'paced-32': 6_000, 'burst-16': 10_000, 'json-100k': 300 }
  : { 'json-16': 8_000, 'paced-32': 20_000, 'burst-16': 50_000, 'json-100k': 1_500 }

const only = values.only === '' ? [] : values.only.split(',')
const plan = {
  starts: Number(values.starts ?? (values.quick ? 1 : 2)),
  rounds: Number(values.rounds ?? (values.quick ? 2 : 7)),
  // Short and many: what else the machine does comes in bursts of seconds, and then hits all subjects alike.
  windowMs: Number(values.window ?? (values.quick ? 500 : 750)),
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(usage)
  pinSelf(NEIGHBOUR_CORE)
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const neighbours = await startNeighbours(values.store === 'bridge' ? 'bridge' : 'lean')
  const options: SubjectOptions = { neighbours, dir }
  if (values.robust) {
    const robust = await runRobustness(options, say)
    const report = renderRobustness(robust)
    process.stdout.write(`\n${report}`)
    keep('robust', robust)
    writeFileSync(join(import.meta.dirname, 'ROBUST-RESULTS.md'), report)
    return
  }
  const scenario = SCENARIOS.find(({ name }) => name === values.profile)
  if (scenario !== undefined) {
    process.stdout.write(await profile(options, scenario, values.entry))
    return
  }
  const results = await runAll(options)
  const report = renderReport(results)
  process.stdout.write(`\n${report}`)
  const isWhole =
    !values.quick && only.length === 0 && values.entry === undefined && values.beside === undefined
  if (!isWhole) return
  keep('results', results)
  writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report)
}

async function runAll(options: SubjectOptions): Promise<Results> {
  const measured: Results['measured'] = {}
  const missing: Record<string, string> = {}
  const chosen = SCENARIOS.filter(isChosen)
  let checks: Checks | null = null
  for (let start = 1; start <= plan.starts; start += 1) {
    const subjects = await startSubjects(
      { ...options, dir: join(options.dir, `start-${start}`) },
      missing,
    )
    await warmUp(subjects, chosen, options)
    for (let round = 1; round <= plan.rounds; round += 1) {
      for (const [at, scenario] of chosen.entries()) {
        // Another one begins each time: what comes first or last gains nothing by it.
        for (const subject of rotate(subjects, at + round)) {
          const seen = await measure(subject, scenario, plan.windowMs, options.neighbours)
          ;((measured[scenario.name] ??= {})[subject.name] ??= []).push(seen)
          say(lineOf(subject, scenario, seen, `${start}.${round}`))
        }
      }
    }
    if (start === plan.starts && only.length === 0) checks = await runChecks(subjects, options, say)
    for (const subject of subjects) await subject.stop()
  }
  return {
    machine: describeMachine(),
    pinned: canPin,
    plan,
    store: values.store,
    measured,
    missing,
    checks,
  }
}

async function startSubjects(
  options: SubjectOptions,
  missing: Record<string, string>,
): Promise<Subject[]> {
  const wants = (name: string): boolean => {
    const named = only.filter((word) => SCENARIOS.every((scenario) => scenario.name !== word))
    return named.length === 0 ? !(values.quick && name === 'floor-again') : named.includes(name)
  }
  const subjects: Subject[] = []
  if (wants('direct')) subjects.push(direct(options))
  if (wants('floor')) subjects.push(await floor('floor', options))
  if (wants('floor-again')) subjects.push(await floor('floor-again', options))
  if (wants('sluice')) {
    const { entry } = values
    subjects.push(await sluice(options, entry === undefined ? {} : { entry }))
  }
  for (const [at, entry] of (values.beside?.split(',') ?? []).entries()) {
    const name = at === 0 ? 'beside' : `beside-${at + 1}`
    subjects.push(await sluice(options, { entry, name }))
  }
  if (wants('portkey')) {
    const peer = await portkey(options)
    if (typeof peer === 'string') missing['portkey'] = peer
    else subjects.push(peer)
  }
  return subjects
}

/** Until V8 has compiled what is hot, a process costs several times what it costs later. */
async function warmUp(
  subjects: readonly Subject[],
  chosen: readonly Scenario[],
  { neighbours }: SubjectOptions,
): Promise<void> {
  for (const subject of subjects) {
    await neighbours.takeCounts()
    for (const [name, units] of Object.entries(WARM)) {
      const scenario = SCENARIOS.find((each) => each.name === name)
      if (!chosen.some(({ unit }) => unit === scenario?.unit)) continue
      let seen = 0
      // A machine that is too slow for it is measured all the same.
      for (let tries = 0; scenario !== undefined && seen < units && tries < 15; tries += 1) {
        seen += (await measure(subject, scenario, 1_000, neighbours)).perSecond || 0
      }
    }
    const { store, upstream } = await neighbours.takeCounts()
    // A store that is not understood is soon not asked any more, and the figures would flatter the gateway.
    if (subject.name === 'sluice' && store.requests < 0.9 * upstream.requests) {
      throw new Error(`Of ${upstream.requests} requests only ${store.requests} reached the store`)
    }
    say(`${subject.name} is warm`)
  }
}

function isChosen({ name, isQuick }: Scenario): boolean {
  const named = only.filter((word) => SCENARIOS.some((scenario) => scenario.name === word))
  return named.length > 0 ? named.includes(name) : !values.quick || isQuick
}

const rotate = <T>(list: readonly T[], by: number): T[] => {
  const at = by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

function lineOf(subject: Subject, scenario: Scenario, seen: Measurement, round: string): string {
  const { cpuUs, perSecond, p50Ms, lagP50Ms, lagP99Ms, failures } = seen
  const lag = scenario.isPaced
    ? ` lag ${lagP50Ms.toFixed(2)}/${lagP99Ms.toFixed(1)} ms`
    : ` p50 ${p50Ms.toFixed(2)} ms`
  const failed = Object.keys(failures).length > 0 ? ` FAILED ${JSON.stringify(failures)}` : ''
  const others = seen.othersShare > 0.1 ? ` (others ${Math.round(seen.othersShare * 100)} %)` : ''
  return `${round} ${scenario.name.padEnd(10)} ${subject.name.padEnd(11)} ${cpuUs.toFixed(1).padStart(8)} us/${scenario.unit} ${Math.round(perSecond)}/s${lag}${failed}${others}`
}

function keep(name: string, what: unknown): void {
  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${name}.json`)
  writeFileSync(path, `${JSON.stringify(what, null, 1)}\n`)
}

const say = (line: string): void => console.error(line)

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error)
    process.exit(1)
  },
)
