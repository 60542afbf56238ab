// Admission as Claude's own count sees it, in its short form. `npm run torture` is the long one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
import type { World } from './world.ts'

let world: World
let mortal: World
let keys: string[]

beforeAll(async () => {
  ;[world, mortal] = await Promise.all([startScenes(), startKilledScene()])
  keys = await addTenants(world, 10)
})

afterAll(() => Promise.all([world.stop(), mortal.stop()]))

describe('calls of every kind, two hundred at a time, at three accounts of eight', () => {
  it('are never nine at an account, and every slot comes home', async () => {
    const result = await runMixed(world, {
      ...SCENES.mixed,
      keys: keys.slice(0, 5),
      seed: 1,
      calls: 400,
      atATime: 200,
    })
    const shown = JSON.stringify(result)
    // Some were full, or nothing was proven.
    expect(Math.max(...result.most), shown).toBe(8)
    expect(shown).not.toContain('"lost ')
    expect(result.leftOpen, shown).toBe(0)
    expect(result.held, shown).toBe(0)
  })
})

describe('one tenant with 80 % of five times the load', () => {
  it('makes no quiet tenant wait longer than two service times, and gets none refused', async () => {
    const [noisyKey = '', ...quietKeys] = keys
    const result = await runNoisy(world, {
      ...SCENES.noisy,
      account: SCENES.noisy.accounts[0],
      serviceMs: 250,
      durationMs: 2_500,
      noisyKey,
      quietKeys,
    })
    const shown = JSON.stringify(result)
    expect(result.quietCalls, shown).toBeGreaterThan(10)
    expect(result.noisyRefused, shown).toBeGreaterThan(0)
    expect(result.quietRefused, shown).toBe(0)
    expect(result.longestQuietWaitMs, shown).toBeLessThanOrEqual(2 * result.longestServiceMs)
  })
})

describe.concurrent('an account', () => {
  it('that Claude caps at 5 of 20 sees few 429s, keeps its throughput, and is back soon after', async () => {
    const result = await runCap(world, {
      account: SCENES.cap.accounts[0],
      model: SCENES.cap.model,
      keys,
      serviceMs: 100,
      callers: 30,
      settling: 100,
      measured: 160,
      climbWithinMs: 15_000,
    })
    const shown = JSON.stringify(result)
    expect(result.throttledShare, shown).toBeLessThan(0.05)
    expect(result.goodput, shown).toBeGreaterThan(0.6)
    expect(result.backAfterMs, shown).not.toBeNull()
  })

  it('that hangs when its cool-down ends gets its probes of 300 callers, and no more', async () => {
    const result = await runCooldown(world, {
      account: SCENES.cooldown.accounts[0],
      model: SCENES.cooldown.model,
      keys,
      callers: 300,
      cooldownMs: COOLDOWN_MS,
      slots: SCENES.cooldown.slots,
    })
    const shown = JSON.stringify(result)
    expect(result.most, shown).toBe(PROBES)
    expect(result.reached, shown).toBeLessThanOrEqual(PROBES * result.cooldowns)
    expect(result.unexplained, shown).toBe(0)
  })

  it('whose gateway is killed has its slots back within the lease time and a second', async () => {
    const result = await runKilled(mortal, {
      account: SCENES.killed.accounts[0],
      slots: SCENES.killed.slots,
      model: SCENES.killed.model,
      leaseTtlMs: KILLED_LEASE_TTL_MS,
    })
    const shown = JSON.stringify(result)
    expect(result.statuses, shown).toEqual({ 200: SCENES.killed.slots })
    expect(result.most, shown).toBe(SCENES.killed.slots)
    // The dead one's leases were still counted, and no longer than promised.
    expect(result.firstAfterMs, shown).toBeGreaterThan(KILLED_LEASE_TTL_MS / 2)
    const freeAfterMs = Math.max(KILLED_LEASE_TTL_MS, result.startedAfterMs)
    expect(result.lastAfterMs, shown).toBeLessThanOrEqual(freeAfterMs + 1_000)
  })

  it('that is down with all the others is not hammered, and its callers are told why', async () => {
    const result = await runOutage(world, {
      ...SCENES.outage,
      keys,
      callers: 10,
      everyMs: 50,
      beforeMs: 500,
      outageMs: 4_000,
      recoversWithinMs: 10_000,
    })
    const shown = JSON.stringify(result)
    expect(result.callersCalls, shown).toBeGreaterThan(20)
    expect(result.upstreamRatio, shown).toBeLessThanOrEqual(1.3)
    expect(result.unexplained, shown).toBe(0)
    expect(result.recoveredAfterMs, shown).not.toBeNull()
  })
})
