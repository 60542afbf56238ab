// What prompt caching saves: real conversations as sessions, with the tenant's setting as it comes and with it off,
// against the simulator's prompt cache. `npx node bench/prompt-caching/main.ts` writes bench/prompt-caching/RESULTS.md.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PRICES_AS_OF } from '../../src/core/money/price-table.ts'
import { startSimulator } from '../../tools/simulator/server.ts'
import { handbook, hasConversations, readConversations } from './conversations.ts'
import { type Input, play } from './play.ts'

const CASES: readonly (readonly [string, number])[] = [
  ['claude-sonnet-5-5', 0],
  ['claude-sonnet-5-5', 1_500],
  ['claude-sonnet-5-5', 4_000],
  ['claude-sonnet-5-5', 16_000],
  ['claude-opus-5', 4_000],
  ['claude-haiku-5-5', 4_000],
]
const AT_ONCE = 4

if (!hasConversations) throw new Error('There are no recorded conversations beside the repository')

interface Ready {
  readonly url: string
  readonly admin_token: string
}

const dir = mkdtempSync(join(tmpdir(), 'sluice-prompt-caching-'))
const simulator = await startSimulator()
const gateway = spawn(
  process.execPath,
  ['tools/dev/main.ts', '--direct', '--json', '--port', '0', '--state', dir],
  {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
    // Several conversations at once are more than a small machine answers in the usual quarter of a second.
    env: { ...process.env, ANTHROPIC_BASE_URL: simulator.url, SLUICE_REDIS_TIMEOUT_MS: '10000' },
  },
)
const { url, admin_token: adminToken } = await new Promise<Ready>((resolve) =>
  createInterface({ input: gateway.stdout }).once('line', (line) =>
    resolve(JSON.parse(line) as Ready),
  ),
)

async function admin(path: string, body: object): Promise<Readonly<Record<string, string>>> {
  const answer = await fetch(`${url}/admin/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await answer.json()) as Readonly<Record<string, string>>
}

async function newKey(settings: object): Promise<string> {
  const tenant = await admin('/tenants', { name: 'bench', tier: 'enterprise', settings })
  const made = await admin(`/tenants/${tenant['id']}/keys`, { name: 'bench' })
  return made['key'] ?? ''
}

const conversations = readConversations()
const rows: string[] = []
async function run(): Promise<void> {
  for (const [model, systemTokens] of CASES) {
    const bill = async (settings: object): Promise<Input> => {
      simulator.sim.cache.clear()
      const key = await newKey(settings)
      return play(conversations, {
        url,
        key,
        model,
        system: handbook(systemTokens),
        atOnce: AT_ONCE,
      })
    }
    const off = await bill({ auto_prompt_cache: false })
    const on = await bill({})
    const share = (100 * on.readTokens) / on.tokens
    const saved = (100 * (off.nanoUsd - on.nanoUsd)) / off.nanoUsd
    const cells = [
      model,
      systemTokens.toLocaleString('en'),
      on.turns,
      (off.nanoUsd / 1e9).toFixed(4),
      (on.nanoUsd / 1e9).toFixed(4),
      `${saved.toFixed(1)} %`,
      `${share.toFixed(1)} %`,
    ]
    rows.push(`| ${cells.join(' | ')} |`)
    console.log(rows.at(-1))
  }
}

try {
  await run()
} finally {
  gateway.kill('SIGTERM')
  await new Promise((resolve) => gateway.once('close', resolve))
  await simulator.close()
  rmSync(dir, { recursive: true, force: true })
}

const report = `# What prompt caching saves in sessions

\`npx node bench/prompt-caching/main.ts\`, ${new Date().toISOString().slice(0, 10)}: ${conversations.length} recorded conversations (95 of Open Assistant, 80 two-turn questions of
MT-Bench) played turn by turn through \`POST /v1/chat\`, ${AT_ONCE} at once, against the simulator's prompt cache. Answers have the recorded length. Cost is
that of the input alone, by the price table of ${PRICES_AS_OF}. Off: \`auto_prompt_cache\` false. On: the setting as it comes.

The recorded messages are short, 250 tokens on average, and people stop after two turns: by themselves most of them are below what a model keeps
at all. An app has a system prompt, the same for all of its conversations; its length decides.

| model | system prompt, tokens | turns | input off, $ | input on, $ | saved | input read from the cache |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

- Without a system prompt there is next to nothing to save: some long conversations write more than they read back.
- With one of 4,000 tokens it is written once and read by every later turn of every conversation.
- The bill of a turn does not hang on this page's method: the same tokens, at the same prices, are in \`saved_usd\` of \`GET /v1/usage\`.
`
writeFileSync(join(import.meta.dirname, 'RESULTS.md'), report)
