// `npm run bench -- --profile SCENARIO`: where a Sluice under load spends its JavaScript, by V8's own sampling. What
// it cannot see is the runtime's native code: `(program)` and `(idle)` are that and waiting.
import { Load } from './load/load.ts'
import { messageRequest } from './load/requests.ts'
import { sleep } from './measure.ts'
import type { Scenario } from './scenarios.ts'
import { sluice, type SubjectOptions } from './subjects.ts'

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: CallFrame
  readonly hitCount?: number
  readonly children?: readonly number[]
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly startTime: number
  readonly endTime: number
}

const WARM_MS = 6_000
const SAMPLED_MS = 6_000
const INTERVAL_US = 200
const INSPECTOR_PORT = 9_341
const SHOWN = 45

export async function profile(
  options: SubjectOptions,
  scenario: Scenario,
  entry: string | undefined,
): Promise<string> {
  const subject = await sluice(options, {
    args: [`--inspector-addr=127.0.0.1:${INSPECTOR_PORT}`],
    ...(entry === undefined ? {} : { entry }),
  })
  const load = new Load({
    port: subject.port,
    request: messageRequest({
      bytes: scenario.bytes,
      ask: scenario.ask(WARM_MS + SAMPLED_MS + 2_000),
      headers: subject.headers,
    }),
    connections: scenario.connections,
    deltas: scenario.deltas(WARM_MS + SAMPLED_MS + 2_000),
    repeats: !scenario.isPaced,
    measuresLag: false,
  })
  load.start()
  await sleep(WARM_MS)
  const inspector = await openInspector('sluice')
  await inspector.ask('Profiler.enable')
  await inspector.ask('Profiler.setSamplingInterval', { interval: INTERVAL_US })
  load.takeSeen()
  await inspector.ask('Profiler.start')
  await sleep(SAMPLED_MS)
  const { profile: taken } = (await inspector.ask('Profiler.stop')) as { profile: Profile }
  const seen = load.takeSeen()
  await load.stop()
  await subject.stop()
  const units = scenario.unit === 'delta' ? seen.deltas : seen.answers
  return renderProfile(taken, units, scenario.unit)
}

interface Inspector {
  ask(method: string, params?: object): Promise<unknown>
}

async function openInspector(service: string): Promise<Inspector> {
  const socket = new WebSocket(`ws://127.0.0.1:${INSPECTOR_PORT}/${service}`)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', () => reject(new Error('The inspector cannot be reached')))
  })
  const waiting = new Map<number, (result: unknown) => void>()
  socket.addEventListener('message', ({ data }) => {
    const said = JSON.parse(String(data)) as { id?: number; result?: unknown }
    if (said.id !== undefined) waiting.get(said.id)?.(said.result)
  })
  let last = 0
  return {
    ask(method, params = {}) {
      last += 1
      const id = last
      socket.send(JSON.stringify({ id, method, params }))
      return new Promise((resolve) => waiting.set(id, resolve))
    },
  }
}

function renderProfile(profile: Profile, units: number, unit: string): string {
  const elapsedUs = profile.endTime - profile.startTime
  const perSampleUs = elapsedUs / profile.samples.length
  const rows = (of: ReadonlyMap<string, number>): string[] =>
    [...of]
      .sort(([, one], [, other]) => other - one)
      .slice(0, SHOWN)
      .map(([name, us]) => `${us.toFixed(1).padStart(8)} us  ${name}`)
  const { self, total } = weigh(profile, perSampleUs / units)
  return [
    `${units} ${unit}s in ${(elapsedUs / 1e6).toFixed(1)} s, ${profile.samples.length} samples`,
    '',
    `Self time a ${unit}:`,
    ...rows(self),
    '',
    `With what it calls, a ${unit}:`,
    ...rows(total),
    '',
  ].join('\n')
}

function weigh({ nodes, samples }: Profile, usPerHit: number) {
  const hits = new Map<number, number>()
  for (const id of samples) hits.set(id, (hits.get(id) ?? 0) + 1)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const self = new Map<string, number>()
  const total = new Map<string, number>()
  const add = (to: Map<string, number>, name: string, count: number): void => {
    to.set(name, (to.get(name) ?? 0) + count * usPerHit)
  }
  const visit = (id: number, above: ReadonlySet<string>): number => {
    const node = byId.get(id)
    if (node === undefined) return 0
    const name = nameOf(node.callFrame)
    const own = hits.get(id) ?? 0
    add(self, name, own)
    const path = new Set(above).add(name)
    let count = own
    for (const child of node.children ?? []) count += visit(child, path)
    // A function that calls itself is counted once.
    if (!above.has(name)) add(total, name, count)
    return count
  }
  const [root] = nodes
  if (root !== undefined) visit(root.id, new Set())
  return { self, total }
}

const nameOf = ({ functionName, url, lineNumber }: CallFrame): string =>
  `${functionName || '(anonymous)'} ${url.split('/').at(-1) ?? ''}:${lineNumber + 1}`
