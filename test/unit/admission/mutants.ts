// Seeded faults of the gate and the test that each must fail. `node test/unit/admission/mutants.ts` applies them
// one by one to a copy of the project, runs the named test, and writes the table mutants.md beside this file.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Mutant {
  readonly fault: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** The test's file and a part of its title. */
  readonly killedBy: readonly [file: string, title: string]
}

const CORE = 'src/core/admission'
const UNIT = 'test/unit/admission'
const WORKERD = 'test/workerd'

const MUTANTS: readonly Mutant[] = [
  {
    fault: 'no expiry',
    file: `${CORE}/leases.ts`,
    from: 'if (lease.expiresAt > now) break',
    to: 'break',
    killedBy: [`${UNIT}/model.test.ts`, 'in every order of events'],
  },
  {
    fault: 'release only by settlement: a caller that cancels after its grant keeps the slot',
    file: `${CORE}/gate.ts`,
    from: 'resolved.push(...settle(gate, { settlement: empty, witness: null }, at))',
    to: 'void empty',
    killedBy: [`${UNIT}/leases.test.ts`, 'is freed by its cancellation'],
  },
  {
    fault: 'memory-only leases: a successor knows nothing of its predecessor',
    file: `${CORE}/reservation.ts`,
    from: 'for (const each of predecessors) slots += each.slots',
    to: 'void predecessors',
    killedBy: [`${UNIT}/model.test.ts`, 'in every order of events'],
  },
  {
    fault: 'memory-only leases: the object never writes its reservation',
    file: 'durable-objects/gate-store.ts',
    from: 'if (reservation.unsaved) this.#saveReservation(gate)',
    to: '',
    killedBy: [`${WORKERD}/gate.test.ts`, 'stay taken until their leases are over'],
  },
  {
    fault: 'no grace: a stale twin grants for as long as its reservation has room',
    file: `${CORE}/reservation.ts`,
    from: 'const graceOver = now >= reservation.writtenAt + graceMs(settings)',
    to: 'const graceOver = graceMs(settings) < 0',
    killedBy: [`${UNIT}/leases.test.ts`, 'must be written before a grant'],
  },
  {
    fault: 'leases outlive the reservation that covers them',
    file: `${CORE}/reservation.ts`,
    from: 'reservation.writtenAt + settings.leaseTtlMs',
    to: 'reservation.usedAt + settings.leaseTtlMs',
    killedBy: [`${UNIT}/leases.test.ts`, 'covers every lease'],
  },
  {
    fault:
      'a slot is freed by the word of a holder whose lease a stale twin may have given to another',
    file: `${CORE}/reservation.ts`,
    from: 'if (former === undefined || mayBeRegrantedAt(predecessors, witness) !== null) return',
    to: 'if (former === undefined) return',
    killedBy: [`${UNIT}/leases.test.ts`, 'does not take the word of'],
  },
  {
    fault: 'a holder that is not sure is believed',
    file: `${CORE}/reservation.ts`,
    from: 'if (witness === null || !witness.certain) return',
    to: 'if (witness === null) return',
    killedBy: [`${UNIT}/leases.test.ts`, 'does not take the word of'],
  },
  {
    fault: 'no epoch: a result of a former object teaches the breaker',
    file: `${CORE}/teach.ts`,
    from: 'if (granted === null || settlement.epoch !== gate.epoch) return',
    to: 'if (granted === null) return',
    killedBy: [`${UNIT}/breaker.test.ts`, 'that another epoch admitted'],
  },
  {
    fault: 'no generation: a late result moves a breaker that has changed since',
    file: `${CORE}/breaker.ts`,
    from: 'if (result.generation !== breaker.generation) return null',
    to: '',
    killedBy: [`${UNIT}/breaker.test.ts`, 'do not reopen a breaker that has closed since'],
  },
  {
    fault: 'a second settlement is taken for a first',
    file: `${CORE}/gate.ts`,
    from: 'if (hasEnded(gate.leases, settlement.leaseId)) return resolved',
    to: '',
    killedBy: [`${UNIT}/leases.test.ts`, 'and once only'],
  },
  {
    fault: 'unlimited half-open',
    file: `${CORE}/door.ts`,
    from: "if (breaker.phase.kind === 'half_open' && probesOut(breaker) < gate.settings.breakerProbes) {",
    to: "if (breaker.phase.kind === 'half_open') {",
    killedBy: [`${UNIT}/breaker.test.ts`, 'probes are out at a time'],
  },
  {
    fault: 'a lost probe leaves the breaker stuck',
    file: `${CORE}/breaker.ts`,
    from: "if (at.now >= deadline) return trip(breaker, 'probe_lost', at, settings)",
    to: 'void deadline',
    killedBy: [`${UNIT}/gate.properties.test.ts`, 'is never stuck'],
  },
  {
    fault: 'callers queue behind a probe',
    file: `${CORE}/door.ts`,
    from: 'return out + wanting < gate.settings.breakerProbes',
    to: 'return out + wanting >= 0',
    killedBy: [`${UNIT}/breaker.test.ts`, 'as many may wait as may probe'],
  },
  {
    fault: 'one breaker for all model classes',
    file: `${CORE}/gate-state.ts`,
    from: 'const known = gate.classes.get(name)',
    to: "const known = gate.classes.get((name = 'all'))",
    killedBy: [`${UNIT}/breaker.test.ts`, 'leaves the others alone'],
  },
  {
    fault: 'the last usable account is ejected by its ratio',
    file: `${CORE}/breaker.ts`,
    from: 'if (!overRatio || result.lastResort) return null',
    to: 'if (!overRatio) return null',
    killedBy: [`${UNIT}/breaker.test.ts`, 'the last usable account'],
  },
  {
    fault: 'FIFO queue: whoever came first, whatever the tenant',
    file: `${CORE}/wait-queue.ts`,
    from: '(head.missing < best.missing ? head : best)',
    to: '(head.waiter.since < best.waiter.since ? head : best)',
    killedBy: [`${UNIT}/wait-queue.test.ts`, 'take turns whatever they have queued'],
  },
  {
    fault: 'strict priority between lanes',
    file: `${CORE}/wait-queue.ts`,
    from: 'if (credit <= most) continue',
    to: 'if (chosen !== null || credit <= most) continue',
    killedBy: [`${UNIT}/wait-queue.test.ts`, 'lanes share 4:2:1'],
  },
  {
    fault: 'turns without regard to tokens',
    file: `${CORE}/wait-queue.ts`,
    from: 'Math.max(LEAST_COST, waiter.ask.estimatedInputTokens)',
    to: 'Math.max(LEAST_COST, waiter.ask.estimatedInputTokens * 0)',
    killedBy: [`${UNIT}/wait-queue.test.ts`, 'as many tokens as one of small calls'],
  },
  {
    fault: 'one tenant may fill every place',
    file: `${CORE}/wait-queue.ts`,
    from: '(queue.byTenant.get(tenant) ?? 0) < bounds.queuePerTenant',
    to: 'tenant !== bounds.toString()',
    killedBy: [`${UNIT}/wait-queue.test.ts`, 'so many places in all'],
  },
  {
    fault: 'an expired waiter is called',
    file: `${CORE}/grant.ts`,
    from: 'const resolved = dropExpired(gate, at.now)',
    to: 'const resolved: Resolution[] = []; void dropExpired',
    killedBy: [`${UNIT}/wait-queue.test.ts`, 'times out as a slot frees'],
  },
  {
    fault: 'twenty 429s of one burst cut the limit twenty times',
    file: `${CORE}/limit.ts`,
    from: 'if (call.grantedAt <= limit.decreasedAt) return false',
    to: '',
    killedBy: [`${UNIT}/limit.test.ts`, 'cut once for a burst'],
  },
  {
    fault: 'the limit falls below the least of the account',
    file: `${CORE}/limit.ts`,
    from: 'Math.min(ceiling, Math.max(Math.min(floor, ceiling), wanted))',
    to: 'Math.min(ceiling, Math.max(floor * 0, wanted - floor))',
    killedBy: [`${UNIT}/limit.test.ts`, 'never falls below the least'],
  },
  {
    fault: 'the limit tries the refused level again at once',
    file: `${CORE}/limit.ts`,
    from: 'return restedMs >= REST_MIN_MS && limit.servedSinceCut >= REST_SERVED',
    to: 'return restedMs >= 0 || REST_MIN_MS + REST_SERVED < 0',
    killedBy: [`${UNIT}/limit.test.ts`, 'capped at 5 of 20'],
  },
  {
    fault: 'a reading with a reset in the past is believed',
    file: `${CORE}/rate.ts`,
    from: 'return remaining > 0 || (resetAt !== null && resetAt > now)',
    to: 'return remaining >= 0 || resetAt === now',
    killedBy: [`${UNIT}/rate.test.ts`, 'are not stopped by a reading'],
  },
  {
    fault: 'small calls overtake a large one that waits for its bucket',
    file: `${CORE}/gate.ts`,
    from: 'const overtakes = gate.queue.byClass.has(ask.modelClass)',
    to: 'const overtakes = false',
    killedBy: [`${UNIT}/rate.test.ts`, 'a large call is not starved'],
  },
  {
    fault: 'usage is acknowledged before it is written',
    file: 'durable-objects/account-gate.ts',
    from: 'await this.#outbox.keep(settlement.leaseId, settlement.usage)',
    to: 'void this.#outbox.keep(settlement.leaseId, settlement.usage)',
    killedBy: [`${WORKERD}/gate-usage.test.ts`, 'only once its usage is on disk'],
  },
  {
    fault: 'usage is counted as often as it is said',
    file: 'durable-objects/usage-outbox.ts',
    from: 'filter(([id]) => !known.has(id))',
    to: 'filter(([id]) => id !== String(known))',
    killedBy: [`${WORKERD}/gate-usage.test.ts`, 'is counted once, said twice'],
  },
  {
    fault: 'a flush that is delivered twice is added twice',
    file: 'durable-objects/usage-rollup.ts',
    from: 'WHERE NOT EXISTS (SELECT 1 FROM usage_flushes WHERE id = ?2)',
    to: 'WHERE ?2 IS NOT NULL',
    killedBy: [`${WORKERD}/gate-usage.test.ts`, 'delivered twice changes nothing'],
  },
]

const root = join(import.meta.dirname, '../../..')
const copy = mkdtempSync(join(tmpdir(), 'gate-mutants-'))
const CONFIG = `
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
const bindings = {
  ANTHROPIC_API_KEY: 'sk-ant-mutant-0000000',
  ADMIN_TOKEN: 'a'.repeat(40),
  KEY_PEPPER: 'p'.repeat(40),
}
const worker = { main: './test/support/gate-worker.ts', wrangler: { configPath: './wrangler.toml' }, miniflare: { bindings } }
export default defineConfig({ test: { projects: [
  { test: { name: 'unit', include: ['test/unit/admission/*.test.ts'], testTimeout: 60_000 } },
  { plugins: [cloudflareTest(worker)], test: { name: 'workerd', include: ['test/workerd/gate*.test.ts'], testTimeout: 20_000 } },
] } })`

function prepare(): void {
  for (const folder of [
    'src',
    'durable-objects',
    'test',
    'migrations',
    'wrangler.toml',
    'package.json',
    'tsconfig.json',
  ]) {
    cpSync(join(root, folder), join(copy, folder), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(join(copy, 'vitest.config.ts'), CONFIG)
}

/** True when the named test ran and failed. */
function isKilled({ killedBy: [file, title] }: Mutant): boolean {
  const project = file.startsWith(WORKERD) ? 'workerd' : 'unit'
  const output = join(copy, 'report.json')
  rmSync(output, { force: true })
  const reporter = ['--reporter', 'json', '--outputFile', output]
  const command = ['vitest', 'run', '--project', project, file, '-t', title, ...reporter]
  spawnSync('npx', command, { cwd: copy, stdio: 'ignore' })
  const report = JSON.parse(readFileSync(output, 'utf8')) as {
    readonly numFailedTests: number
    readonly numPassedTests: number
  }
  if (report.numFailedTests + report.numPassedTests === 0) {
    throw new Error(`Cannot judge by "${title}" as no such test ran in ${file}`)
  }
  return report.numFailedTests > 0
}

function apply(mutant: Mutant): boolean {
  const path = join(copy, mutant.file)
  const original = readFileSync(path, 'utf8')
  if (original.split(mutant.from).length !== 2) {
    throw new Error(`Cannot apply "${mutant.fault}": its place is not found once in ${mutant.file}`)
  }
  writeFileSync(
    path,
    original.replace(mutant.from, () => mutant.to),
  )
  try {
    return isKilled(mutant)
  } finally {
    writeFileSync(path, original)
  }
}

const lines = [
  '# Seeded faults of the gate, and the tests that they fail',
  '',
  'Written by `node test/unit/admission/mutants.ts`, which applies each fault to a copy and runs the test.',
  '',
  '| fault | place | test | result |',
  '| --- | --- | --- | --- |',
]
let survivors = 0
try {
  prepare()
  for (const mutant of MUTANTS) {
    const killed = apply(mutant)
    if (!killed) survivors++
    const [file, title] = mutant.killedBy
    console.log(`${killed ? 'killed  ' : 'SURVIVED'} ${mutant.fault}`)
    const test = `${file.replace('test/', '')}: ${title}`
    lines.push(
      `| ${mutant.fault} | \`${mutant.file}\` | ${test} | ${killed ? 'killed' : 'survived'} |`,
    )
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
writeFileSync(join(import.meta.dirname, 'mutants.md'), `${lines.join('\n')}\n`)
process.exitCode = survivors === 0 ? 0 : 1
