// `npm test`: the whole gate, one round after another, the cheap ones first. The steps of a round run side by side; what
// they print comes when they end. Stops after the first round with a failure. Steps need nothing but Node, npm and git; what is
// installed besides is used.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

interface Step {
  readonly name: string
  readonly command: readonly string[]
}

const root = join(import.meta.dirname, '..', '..')
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)
const node = process.execPath

const types = (name: string, project: string): Step => ({
  name,
  command: [bin('tsc'), '--noEmit', '-p', project],
})
const suite = (name: string, project = name): Step => ({
  name,
  command: [bin('vitest'), 'run', '--project', project],
})

const rounds: readonly (readonly Step[])[] = [
  [
    { name: 'format', command: [bin('oxfmt'), '--check'] },
    { name: 'binding types', command: [bin('wrangler'), 'types', 'worker-configuration.d.ts'] },
  ],
  [
    { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
    types('types', '.'),
    types('types of the pure core', 'src/core'),
    types('types of the Bun and Deno doorways', 'src/doorway'),
  ],
  [suite('unit')],
  // These mostly wait: for timeouts, and for processes to start.
  [suite('contract'), suite('processes')],
  [suite('workerd'), suite('runtimes')],
  // Alone: its promises are about time.
  [suite('end to end', 'e2e')],
  [{ name: 'deploy, dry', command: [node, 'tools/gate/dry-deploy.ts'] }],
]

/** Nothing of the gate leaves loopback, asks a question or reports home. */
const quiet = {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
}

/** False: it failed. A step that runs alone is seen while it runs. */
const run = (
  { name, command: [command = '', ...args] }: Step,
  isAlone: boolean,
): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const stepStartedAt = Date.now()
    if (isAlone) console.log(`\n== ${name}`)
    const child = spawn(command, args, {
      cwd: root,
      stdio: isAlone ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...quiet },
    })
    const printed: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => printed.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => printed.push(chunk))
    child.once('error', reject)
    // Not `exit`: then its pipes may still hold something.
    child.once('close', (code) => {
      if (!isAlone) process.stdout.write(`\n== ${name}\n${Buffer.concat(printed).toString()}`)
      console.log(`== ${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds(stepStartedAt)}`)
      resolve(code === 0)
    })
  })

const startedAt = Date.now()
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`

let passed = 0
let failed = 0
for (const round of rounds) {
  const results = await Promise.all(round.map((step) => run(step, round.length === 1)))
  passed += results.filter(Boolean).length
  failed += results.filter((result) => !result).length
  if (failed > 0) break
}
console.log(`\nThe gate took ${seconds(startedAt)}`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
