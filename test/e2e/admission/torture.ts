// `npm run torture`: the long form of the torture of admission; writes bench/ADMISSION-RESULTS.md. Takes about five minutes
// of a quiet machine, and ends with 1 where a promise was broken.
import { writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '../../support/gateway-process.ts'
import { runCap } from './cap.ts'
import { runCooldown } from './cooldown.ts'
import { runKilled } from './killed.ts'
import { runMixed } from './mixed.ts'
import { runNoisy } from './noisy.ts'
import { runOutage } from './outage.ts'
import {
  addTenants,
  COOLDOWN_MS,
  KILLED_LEASE_TTL_MS,
  PROBES,
  SCENES,
  startKilledScene,
  startScenes,
} from './scenes.ts'

const SEEDS = [1, 2, 3, 4, 5]
const ROUNDS = 3

const lines: string[] = []
let broken = 0

/** One row of the table: what was promised, what was seen, and whether it held. */
function row(what: string, seen: string, holds: boolean): void {
  if (!holds) broken += 1
  lines.push(`| ${what} | ${seen} | ${holds ? 'held' : 'BROKEN'} |`)
  console.log(`${holds ? 'held  ' : 'BROKEN'} ${what}: ${seen}`)
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
const seconds = (ms: number | null): string =>
  ms === null ? 'never' : `${(ms / 1000).toFixed(1)} s`
const shown = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} × ${name}`)
    .join(', ')

const loadBefore = loadavg()[0] ?? 0
const world = await startScenes()
const mortal = await startKilledScene()
try {
  const keys = await addTenants(world, 10)
  for (const seed of SEEDS) {
    const run = { ...SCENES.mixed, keys: keys.slice(0, 5), seed, calls: 2_000, atATime: 200 }
    const result = await runMixed(world, run)
    const { most, held, leftOpen, upstreamCalls, outcomes } = result
    row(
      `2,000 mixed calls, 200 at a time, three accounts of 8, seed ${seed}: never a ninth, every slot home`,
      `at most ${most.join(', ')}; ${leftOpen} left open; ${held} slots held afterwards; ${upstreamCalls} calls upstream; ${shown(outcomes)}`,
      most.every((count) => count <= 8) &&
        !shown(outcomes).includes('lost ') &&
        leftOpen === 0 &&
        held === 0,
    )
  }
  for (let round = 1; round <= ROUNDS; round += 1) {
    const { killed } = SCENES
    const run = { ...killed, account: killed.accounts[0], leaseTtlMs: KILLED_LEASE_TTL_MS }
    const result = await runKilled(mortal, run)
    const bound = Math.max(KILLED_LEASE_TTL_MS, result.startedAfterMs) + 1_000
    row(
      `kill -9 with 8 of 8 leases out, round ${round}: all back within the lease time (${seconds(KILLED_LEASE_TTL_MS)}) and a second`,
      `started again after ${seconds(result.startedAfterMs)}, first slot after ${seconds(result.firstAfterMs)}, all 8 after ${seconds(result.lastAfterMs)}; at most ${result.most}`,
      result.lastAfterMs <= bound && result.most <= killed.slots,
    )
  }
  const { cap } = SCENES
  const capped = await runCap(world, {
    account: cap.accounts[0],
    model: cap.model,
    keys,
    serviceMs: 400,
    callers: 40,
    settling: 100,
    measured: 300,
    climbWithinMs: 40_000,
  })
  row(
    'Claude caps an account at 5 of 20: under 5 % of 429s, at least 80 % of what is allowed',
    `${percent(capped.throttledShare)} of 429s, ${percent(capped.goodput)} of what is allowed`,
    capped.throttledShare < 0.05 && capped.goodput >= 0.8,
  )
  row(
    'the cap ends: back at 20 within 30 s',
    `after ${seconds(capped.backAfterMs)}`,
    (capped.backAfterMs ?? Infinity) <= 30_000,
  )
  const { cooldown } = SCENES
  const cooled = await runCooldown(world, {
    ...cooldown,
    account: cooldown.accounts[0],
    keys,
    callers: 300,
    cooldownMs: COOLDOWN_MS,
  })
  row(
    '300 callers at the end of a cool-down, Claude hangs: the probes only',
    `${cooled.reached} reached Claude, ${cooled.most} at a time; ${shown(cooled.told)}`,
    cooled.most === PROBES &&
      cooled.reached <= PROBES * cooled.cooldowns &&
      cooled.unexplained === 0,
  )
  const down = await runOutage(world, {
    ...SCENES.outage,
    keys,
    callers: 20,
    everyMs: 50,
    beforeMs: 2_000,
    outageMs: 60_000,
    recoversWithinMs: 20_000,
  })
  row(
    'three accounts down for a minute: at most 1.3 calls upstream for each of a caller, every refusal explained',
    `${down.upstreamRatio.toFixed(3)} for each of ${down.callersCalls}; ${down.unexplained} unexplained; ${shown(down.told)}`,
    down.upstreamRatio <= 1.3 && down.unexplained === 0,
  )
  row(
    'the outage ends: served again',
    `after ${seconds(down.recoveredAfterMs)}; the longest cool-down is ${seconds(2 * COOLDOWN_MS)}`,
    down.recoveredAfterMs !== null && down.recoveredAfterMs <= 4 * COOLDOWN_MS + 1_000,
  )
  const { noisy } = SCENES
  const [noisyKey = '', ...quietKeys] = keys
  const fair = await runNoisy(world, {
    ...noisy,
    account: noisy.accounts[0],
    serviceMs: 500,
    durationMs: 20_000,
    noisyKey,
    quietKeys,
  })
  row(
    'one tenant with 80 % of five times the load: quiet ones wait at most two service times, none is refused',
    `longest wait ${fair.longestQuietWaitMs} ms of a service of ${fair.longestServiceMs} ms; ${fair.quietRefused} of ${fair.quietCalls} quiet calls refused, ${fair.noisyRefused} of ${fair.noisyCalls} noisy ones`,
    fair.longestQuietWaitMs <= 2 * fair.longestServiceMs && fair.quietRefused === 0,
  )
} finally {
  await Promise.all([world.stop(), mortal.stop()])
}

const page = `# Admission under torture

Written by \`npm run torture\` on ${new Date().toISOString().slice(0, 10)}: a gateway in workerd, the Claude simulator's own count of open calls, ${availableParallelism()} cores,
load average ${loadBefore.toFixed(1)} at the start. The settings shorten time (\`test/e2e/admission/scenes.ts\`); the short form of each row is part of \`npm test\`.

| promise | seen | |
| --- | --- | --- |
${lines.join('\n')}
`
writeFileSync(join(repositoryRoot, 'bench/ADMISSION-RESULTS.md'), page)
process.exitCode = broken === 0 ? 0 : 1
