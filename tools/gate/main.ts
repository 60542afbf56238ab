// `npm test`: the whole gate, one step after another, the cheap ones first. Stops at the first failure and says
// how to run that step alone. Steps need nothing but Node, npm and git; what is installed besides is used.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

interface Step {
  readonly name: string
  readonly command: readonly string[]
}

const root = join(import.meta.dirname, '..', '..')
const bin = (name: string): string => join(root, 'node_modules', '.bin', name)
const node = process.execPath

const steps: readonly Step[] = [
  { name: 'format', command: [bin('oxfmt'), '--check'] },
  {
    name: 'binding types',
    command: [bin('wrangler'), 'types', 'worker-configuration.d.ts'],
  },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '--noEmit', '-p', '.'] },
  { name: 'types of the pure core', command: [bin('tsc'), '--noEmit', '-p', 'src/core'] },
  {
    name: 'types of the Bun and Deno doorways',
    command: [bin('tsc'), '--noEmit', '-p', 'src/doorway'],
  },
  { name: 'unit', command: [bin('vitest'), 'run', '--project', 'unit'] },
  { name: 'contract', command: [bin('vitest'), 'run', '--project', 'contract'] },
  { name: 'workerd', command: [bin('vitest'), 'run', '--project', 'workerd'] },
  { name: 'runtimes', command: [bin('vitest'), 'run', '--project', 'runtimes'] },
  { name: 'end to end', command: [bin('vitest'), 'run', '--project', 'e2e'] },
  { name: 'deploy, dry', command: [node, 'tools/gate/dry-deploy.ts'] },
]

/** Nothing of the gate leaves loopback, asks a question or reports home. */
const quiet = {
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: 'true',
}

const run = (step: Step): Promise<number> =>
  new Promise((resolve, reject) => {
    const [command = '', ...args] = step.command
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...quiet },
    })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })

const startedAt = Date.now()
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`

const failed: string[] = []
let passed = 0
for (const step of steps) {
  const stepStartedAt = Date.now()
  console.log(`\n== ${step.name}`)
  const code = await run(step)
  console.log(`== ${step.name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds(stepStartedAt)}`)
  if (code !== 0) {
    failed.push(step.name)
    break
  }
  passed += 1
}
console.log(`\nThe gate took ${seconds(startedAt)}`)
console.log(`${passed} passed, ${failed.length} failed`)
process.exit(failed.length === 0 ? 0 : 1)
