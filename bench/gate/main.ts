// Measures admissions through one gate against an object that only counts in memory: pairs of admit and settle a
// second, and the CPU of workerd for each pair. `node bench/gate/main.ts [seconds a round] [rounds]`
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { unstable_splitSqlQuery } from 'wrangler'

const [seconds = 4, rounds = 5] = process.argv.slice(2).map(Number)
// Twice the gate's slots: half of the callers wait at any time.
const CALLERS = 32
const TARGETS = ['counting', 'gate', 'ledger', 'crowded', 'writing'] as const
type Target = (typeof TARGETS)[number]
// One pair a request is what a gateway does; twenty show the object without the HTTP around it.
const PAIRS = [1, 20]

interface Sample {
  readonly perSecond: number
  readonly cpuMicros: number
}

const state = mkdtempSync(join(tmpdir(), 'gate-bench-'))
const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, 'worker.ts')],
  bundle: true,
  write: false,
  minify: true,
  format: 'esm',
  target: 'es2024',
  external: ['cloudflare:*'],
})

type LegacyOptions = Parameters<typeof convertV4MiniflareOptions>[0]
const legacy: LegacyOptions = {
  host: '127.0.0.1',
  port: 0,
  resourcePersistencePath: state,
  cf: false,
  workers: [
    {
      name: 'bench',
      modules: [{ type: 'ESModule', path: 'index.js', contents: outputFiles[0]?.text ?? '' }],
      compatibilityDate: '2026-10-23',
      compatibilityFlags: ['enable_request_signal'],
      bindings: {
        ANTHROPIC_API_KEY: 'sk-ant-bench-0000000000',
        ADMIN_TOKEN: 'a'.repeat(40),
        KEY_PEPPER: 'p'.repeat(40),
      },
      durableObjects: Object.fromEntries(
        [
          ['ACCOUNT_GATE', 'AccountGate'],
          ['TENANT_LEDGER', 'TenantLedger'],
          ['COUNTING', 'CountingGate'],
          ['WRITING', 'WritingGate'],
        ].map(([binding, className]) => [binding, { className, useSQLite: true }]),
      ),
      d1Databases: { DB: 'bench' },
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    },
  ],
} as LegacyOptions

/** Rounds of each target in turn, so that what else the machine does falls on all of them alike. */
async function measure(url: URL, pid: number, pairs: number): Promise<Map<Target, Sample[]>> {
  const samples = new Map<Target, Sample[]>(TARGETS.map((target) => [target, []]))
  for (const target of TARGETS) await run(url, pid, { target, pairs, ms: 500 })
  for (let round = 0; round < rounds; round++) {
    for (const target of TARGETS) {
      samples.get(target)?.push(await run(url, pid, { target, pairs, ms: seconds * 1_000 }))
    }
  }
  return samples
}

async function run(
  url: URL,
  pid: number,
  { target, pairs, ms }: { readonly target: Target; readonly pairs: number; readonly ms: number },
): Promise<Sample> {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS })
  const until = performance.now() + ms
  const cpuBefore = cpuMicros(pid)
  const started = performance.now()
  let done = 0
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      await call(agent, new URL(`/${target}?pairs=${pairs}`, url))
      done += pairs
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const tookMs = performance.now() - started
  agent.destroy()
  return {
    perSecond: (done / tookMs) * 1_000,
    cpuMicros: (cpuMicros(pid) - cpuBefore) / done,
  }
}

const call = (agent: Agent, url: URL): Promise<void> =>
  new Promise((resolve, reject) => {
    request(url.href, { agent }, (response) => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`)),
      )
    })
      .on('error', reject)
      .end()
  })

function workerdPid(): number {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8')
      const isOurs =
        status.includes(`PPid:\t${process.pid}\n`) && status.startsWith('Name:\tworkerd')
      if (isOurs) return Number(entry)
    } catch {
      // It ended while we looked.
    }
  }
  throw new Error('Cannot find the workerd process among the children of this one')
}

/** workerd on one core, the load on another, where the machine has two and lets us. */
function pinApart(pid: number): void {
  try {
    execFileSync('taskset', ['-a', '-p', '-c', '1', String(pid)], { stdio: 'ignore' })
    execFileSync('taskset', ['-a', '-p', '-c', '0', String(process.pid)], { stdio: 'ignore' })
  } catch {
    console.log('The processes are not pinned: expect more noise.')
  }
}

/** User and system time of the process, in clock ticks of 10 ms. */
function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

function print(pairs: number, samples: ReadonlyMap<Target, readonly Sample[]>): void {
  console.log(
    `\n${pairs} pair(s) a request, ${CALLERS} callers, 16 slots, ${rounds} x ${seconds} s\n`,
  )
  console.log(
    '| object | pairs a second | CPU µs a pair | to the floor |\n| --- | --- | --- | --- |',
  )
  const floor = median((samples.get('counting') ?? []).map((each) => each.cpuMicros))
  for (const [target, each] of samples) {
    const cpu = median(each.map((sample) => sample.cpuMicros))
    const rate = median(each.map((sample) => sample.perSecond))
    console.log(
      `| ${target} | ${rate.toFixed(0)} | ${cpu.toFixed(0)} | ${(cpu / floor).toFixed(2)} |`,
    )
  }
}

const miniflare = new Miniflare(convertV4MiniflareOptions(legacy))
try {
  await miniflare.ready
  const db = await miniflare.getD1Database('DB')
  const schema = readFileSync(join(import.meta.dirname, '../../migrations/0002_usage.sql'), 'utf8')
  for (const statement of unstable_splitSqlQuery(schema)) await db.prepare(statement).run()
  const url = await miniflare.unsafeGetDirectURL()
  const pid = workerdPid()
  pinApart(pid)
  for (const pairs of PAIRS) print(pairs, await measure(url, pid, pairs))
} finally {
  await miniflare.dispose()
  rmSync(state, { recursive: true, force: true })
}
