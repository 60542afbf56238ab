// Whether time tells one who guesses which keys there are: 2,000 requests of each kind against the whole gateway, taking
// turns over one connection, and how well their times would tell two kinds apart.
// `node bench/timing/main.ts [requests of each kind]` writes bench/timing/RESULTS.md.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { formatApiKey, makeApiKey } from '../../src/core/keys/api-key.ts'
import { percentile } from '../stats.ts'

const COUNT = Number(process.argv[2] ?? 2_000)
const WARM_UP = 300
/** A coin's throw is 0.5. Beyond these a guesser would learn something from a few hundred tries. */
const APART = 0.05

interface Ready {
  readonly url: string
  readonly keys: { readonly premium: string }
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-timing-'))
const root = join(import.meta.dirname, '../..')
const gateway = spawn(
  process.execPath,
  ['tools/dev/main.ts', '--direct', '--json', '--port', '0', '--state', dir],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    // The valid key is read again in the background all the time; that is not what is measured.
    env: { ...process.env, SLUICE_KEY_CACHE_MS: '600000', SLUICE_AUTH_FAILURES_PER_MINUTE: '0' },
  },
)
const { url, keys } = await new Promise<Ready>((resolve) =>
  createInterface({ input: gateway.stdout }).once('line', (line) =>
    resolve(JSON.parse(line) as Ready),
  ),
)
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const [, id = ''] = keys.premium.split('_')

const newSecret = (): string =>
  formatApiKey(id, makeApiKey(randomBytes(64)).text.slice(15, 47)).text
const newKey = (): string => makeApiKey(randomBytes(64)).text
const [oneSecret, oneKey] = [newSecret(), newKey()]

/** By what is sent: a key for each request. */
const kinds: Readonly<Record<string, () => string>> = {
  'known id, another wrong secret each time': newSecret,
  'unknown id, another each time': newKey,
  'known id, the same wrong secret': () => oneSecret,
  'unknown id, the same': () => oneKey,
  'the valid key, a body that is no request': () => keys.premium,
}
const times = new Map<string, number[]>(Object.keys(kinds).map((kind) => [kind, []]))

function ask(key: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const sent = request(
      `${url}/v1/messages`,
      { agent, method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' } },
      (response) => {
        response.resume().on('end', () => resolve((performance.now() - startedAt) * 1000))
      },
    )
    sent.on('error', reject).end('{}')
  })
}

for (let round = -WARM_UP; round < COUNT; round += 1) {
  // At random: what one request leaves behind to be done falls upon all kinds alike.
  const order = Object.entries(kinds)
    .map((entry) => ({ entry, at: Math.random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ entry }) => entry)
  for (const [kind, make] of order) {
    const tookUs = await ask(make())
    if (round >= 0) times.get(kind)?.push(tookUs)
  }
}
agent.destroy()
gateway.kill('SIGTERM')
await new Promise((resolve) => gateway.once('close', resolve))
rmSync(dir, { recursive: true, force: true })

/** The chance that a request of one kind takes longer than one of the other. */
function separation(left: readonly number[], right: readonly number[]): number {
  const all = [
    ...left.map((us) => ({ us, isLeft: true })),
    ...right.map((us) => ({ us, isLeft: false })),
  ].toSorted((a, b) => a.us - b.us)
  let ranks = 0
  for (const [index, { isLeft }] of all.entries()) if (isLeft) ranks += index + 1
  return (ranks - (left.length * (left.length + 1)) / 2) / (left.length * right.length)
}

const pairs = [
  ['known id, another wrong secret each time', 'unknown id, another each time'],
  ['known id, the same wrong secret', 'unknown id, the same'],
  ['the valid key, a body that is no request', 'unknown id, the same'],
] as const
const us = (values: readonly number[], share: number): string =>
  percentile(values, share).toFixed(0)

const rows = [...times].map(
  ([kind, values]) =>
    `| ${kind} | ${us(values, 0.25)} | ${us(values, 0.5)} | ${us(values, 0.75)} |`,
)
const verdicts = pairs.map(([left, right]) => {
  const share = separation(times.get(left) ?? [], times.get(right) ?? [])
  const isApart = Math.abs(share - 0.5) > APART
  return `| ${left} | ${right} | ${share.toFixed(3)} | ${isApart ? 'yes' : 'no'} |`
})
const report = `# Does time tell which keys there are?

\`node bench/timing/main.ts\`: ${COUNT} requests of each kind, taking turns over one connection, against the whole gateway on ${cpus().length} cores
(${cpus()[0]?.model ?? 'unknown'}), ${new Date().toISOString().slice(0, 10)}.

| what is sent | 25 %, us | median, us | 75 %, us |
| --- | --- | --- | --- |
${rows.join('\n')}

The chance that a request of the first kind takes longer than one of the second: 0.5 tells nothing. Apart: more than ${APART} from it.

| first | second | chance | apart |
| --- | --- | --- | --- |
${verdicts.join('\n')}

A wrong secret of a key that is there and a key that is not there get the same answer; the first time that either is sent costs one read of D1, after that
none. A valid key's answer is another one (here 400, else what Claude says), so its time tells nothing that its status does not.
`
writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report)
console.log(report)
