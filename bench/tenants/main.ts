// What a request, a list of the admin plane and an isolate's memory cost with 10 tenants and with 100,000.
// `node bench/tenants/main.ts [rounds]` writes bench/tenants/RESULTS.md.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startSimulator } from '../../tools/simulator/server.ts'
import { describeMachine } from '../machine.ts'
import { median, percentile } from '../stats.ts'
import { BenchGateway } from './gateway.ts'
import { measureMemory } from './memory.ts'

const rounds = Number(process.argv[2] ?? 5)
const COLD = 1_500
const CALLS = 600
const AT_ONCE = 8
const CALLERS = 10
/** More than an isolate remembers. */
const USABLE = 12_000
const POPULATIONS = [
  { tenants: 10, keys: USABLE, usable: USABLE },
  { tenants: 100_000, keys: 100_000, usable: USABLE },
] as const

interface Sample {
  readonly cpuUs: number
  readonly p50: number
  readonly p95: number
}

const simulator = await startSimulator({ keepBodyBytes: 0 })
const gateways: BenchGateway[] = []
for (const population of POPULATIONS) {
  gateways.push(await BenchGateway.start(population, simulator.url))
}

/** So many at a time; the time of each, and workerd's CPU for all. */
async function measure(
  gateway: BenchGateway,
  keys: readonly string[],
  { atOnce, ask }: { readonly atOnce: number; readonly ask: (key: string) => Promise<number> },
): Promise<Sample> {
  const times: number[] = []
  const before = gateway.cpuUs()
  let next = 0
  const work = async (): Promise<void> => {
    for (let key = keys[next++]; key !== undefined; key = keys[next++]) times.push(await ask(key))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const cpuUs = (gateway.cpuUs() - before) / keys.length
  return { cpuUs, p50: percentile(times, 0.5), p95: percentile(times, 0.95) }
}

const samples = new Map<string, Sample[]>()
const note = (name: string, gateway: BenchGateway, sample: Sample): void => {
  const key = `${name}|${gateway.population.tenants}`
  samples.set(key, [...(samples.get(key) ?? []), sample])
}
const inTurn = async (work: (gateway: BenchGateway) => Promise<void>): Promise<void> => {
  for (const gateway of gateways) await work(gateway)
}

// The first requests of an isolate compile and connect.
await inTurn(async (gateway) => {
  const some = gateway.keys.slice(-CALLERS)
  for (let i = 0; i < 30; i += 1) for (const key of some) await gateway.call(key)
})
const perRound = Math.floor(COLD / rounds)
for (let round = 0; round < rounds; round += 1) {
  const from = round * perRound
  await inTurn(async (gateway) => {
    const keys = gateway.keys.slice(from, from + perRound)
    const one = { atOnce: 1, ask: (key: string) => gateway.askWith(key) }
    note('cold', gateway, await measure(gateway, keys, one))
    note('warm', gateway, await measure(gateway, keys, one))
    const callers = gateway.keys.slice(-CALLERS)
    const calls = Array.from({ length: CALLS }, (_, at) => callers[at % CALLERS] ?? '')
    const call = { atOnce: AT_ONCE, ask: (key: string) => gateway.call(key) }
    note('call', gateway, await measure(gateway, calls, call))
  })
}

const LISTS = [
  ['tenants, the first 100', '/tenants?limit=100'],
  ['tenants, 1,000', '/tenants?limit=1000'],
  ['keys of a tenant, the first 100', '/tenants/bench-7/keys?limit=100'],
  [
    'usage of a tenant by key, the first 100',
    '/usage?tenant=bench-7&from=2026-11-01&to=2026-11-30&group_by=key',
  ],
  [
    'usage of all by day and model, the first 100',
    '/usage?from=2026-11-01&to=2026-11-30&group_by=day,model',
  ],
  ['events, the first 100', '/events?limit=100'],
] as const
const lists = new Map<string, number[]>()
const listed: (readonly [string, string])[] = [...LISTS]
const deep = await deepPage(gateways[1])
listed.splice(2, 0, ['tenants, a page after 20,000', `/tenants?limit=100&page=${deep}`])
for (const [name, path] of listed) {
  await inTurn(async (gateway) => {
    // The page of the one is none of the other's.
    if (path.includes('page=') && gateway !== gateways[1]) return
    const times: number[] = []
    for (let i = 0; i < 15; i += 1) times.push((await gateway.admin(path)).tookUs)
    lists.set(`${name}|${gateway.population.tenants}`, times)
  })
}

async function deepPage(gateway: BenchGateway | undefined): Promise<string> {
  let page = ''
  for (let i = 0; i < 20; i += 1) {
    const answer = await gateway?.admin(`/tenants?limit=1000${page === '' ? '' : `&page=${page}`}`)
    page = answer?.nextPage ?? ''
  }
  return page
}

const rss: string[] = []
await inTurn(async (gateway) => {
  const ask = (key: string) => gateway.askWith(key)
  const before = gateway.rssMb()
  await measure(gateway, gateway.keys.slice(0, 10_000), { atOnce: 16, ask })
  const full = gateway.rssMb()
  await measure(gateway, gateway.keys.slice(4_000), { atOnce: 16, ask })
  const { tenants, keys } = gateway.population
  rss.push(
    `| ${tenants.toLocaleString('en')} tenants, ${keys.toLocaleString('en')} keys | ${before.toFixed(0)} | ${full.toFixed(0)} | ${gateway.rssMb().toFixed(0)} |`,
  )
})
await inTurn((gateway) => gateway.stop())
await simulator.close()
const memory = await measureMemory([1_000, 10_000, 20_000, 40_000])

const middle = (name: string, tenants: number, of: keyof Sample): number =>
  median((samples.get(`${name}|${tenants}`) ?? []).map((sample) => sample[of]))
const [few, many] = POPULATIONS.map(({ tenants }) => tenants) as [number, number]
const names = {
  cold: 'a key that the isolate does not know: one read of D1',
  warm: 'the same key again',
  call: `a small call, whole: ${CALLERS} keys in turn, ${AT_ONCE} at a time`,
}
const requestRows = Object.entries(names).map(([name, title]) => {
  const cells = [few, many].map((tenants) => {
    const [cpu, p50, p95] = (['cpuUs', 'p50', 'p95'] as const).map((of) =>
      middle(name, tenants, of).toFixed(0),
    )
    return `${cpu} | ${p50} / ${p95}`
  })
  const ratio = middle(name, many, 'cpuUs') / middle(name, few, 'cpuUs')
  return `| ${title} | ${cells.join(' | ')} | ${ratio.toFixed(2)} |`
})
const ms = (times: readonly number[] | undefined): string =>
  times === undefined
    ? '–'
    : `${(median(times) / 1000).toFixed(1)} / ${(percentile(times, 0.95) / 1000).toFixed(1)}`
const listRows = listed.map(
  ([name]) =>
    `| ${name} | ${ms(lists.get(`${name}|${few}`))} | ${ms(lists.get(`${name}|${many}`))} |`,
)
const machine = describeMachine()
writeFileSync(
  join(import.meta.dirname, 'RESULTS.md'),
  `# 10 tenants and 100,000

\`node bench/tenants/main.ts ${rounds}\`: two whole gateways in turn, one with ${few} tenants and ${USABLE.toLocaleString('en')} keys, one with ${many.toLocaleString('en')} tenants and as many keys
and usage rows. ${machine.cores}, workerd ${machine.workerd}, Node ${machine.node}, ${new Date().toISOString().slice(0, 10)}. CPU is workerd's, medians of ${rounds} rounds; times are those of a
local D1 on a machine with other work, and tell little of a remote one.

| request | 10: CPU µs | p50 / p95 µs | 100,000: CPU µs | p50 / p95 µs | CPU, ratio |
| --- | --- | --- | --- | --- | --- |
${requestRows.join('\n')}

| list of the admin plane, median / p95 ms | 10 | 100,000 |
| --- | --- | --- |
${listRows.join('\n')}

An isolate remembers 10,000 keys at most, and as many that do not exist. Memory of workerd in MB:

| | before | 10,000 keys asked for | 8,000 more |
| --- | --- | --- | --- |
${rss.join('\n')}

The memory of keys alone, in a heap of V8 after its collection, each key with a tenant and a tier of its own:

| different keys asked for | MB |
| --- | --- |
${memory.map(({ asked, heapMb }) => `| ${asked.toLocaleString('en')} | ${heapMb.toFixed(1)} |`).join('\n')}
`,
)
