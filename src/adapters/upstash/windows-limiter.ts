// The windows as an algorithm of @upstash/ratelimit: it brings the script and its sums, the library the rest.
// The library's own sliding window knows one window, admits up to twice its limit within one (a burst at the end
// of a bucket and the next bucket's share), and cannot say when it will admit again.
import { Ratelimit } from '@upstash/ratelimit'
import {
  burstMsOf,
  type WindowRule,
  type WindowsOutcome,
  type WindowUsage,
} from '../../core/limits/sliding-window.ts'
import type { Command } from './commands.ts'
import { WINDOWS_SCRIPT, WINDOWS_SCRIPT_HASH } from './windows-script.ts'

export interface WindowsCall {
  readonly tenant: string
  /** What the caller's address is counted under, for the rules that ask for it. */
  readonly address?: string | null
  readonly rules: readonly WindowRule[]
  readonly now: number
  /** One request, a look, or one given back. */
  readonly amount: 1 | 0 | -1
}

/** Runs one command within its deadline. */
export type Run = (command: Command) => Promise<unknown>

const PREFIX = 'sluice:requests'
const DEPLOYMENT = 'sluice:deployment'

/** The log that a window is kept in. */
function placeOf({ name }: WindowRule, tenantLog: string, { address }: WindowsCall): string {
  if (name === 'address') return `sluice:address:${address}`
  return name === 'deployment' ? DEPLOYMENT : tenantLog
}

/** Throws when Redis does not answer in time, refuses, or answers what is no outcome. */
export async function countInRedis(run: Run, call: WindowsCall): Promise<WindowsOutcome> {
  const told: { outcome?: WindowsOutcome } = {}
  const limiter = new Ratelimit({
    redis: neverAsked,
    prefix: PREFIX,
    // The client has a bound of its own; this one would let requests pass.
    timeout: 0,
    // It is never pruned.
    ephemeralCache: false,
    enableTelemetry: false,
    limiter: () => ({
      async limit(_, key) {
        const outcome = await runScript(run, key, call)
        told.outcome = outcome
        return toResponse(call, outcome)
      },
      async getRemaining(): Promise<never> {
        throw new Error('not offered: each call tells what remains')
      },
      async resetTokens(_, key) {
        await run(['DEL', key])
      },
    }),
  })
  await limiter.limit(call.tenant, { rate: call.amount })
  if (told.outcome === undefined) throw new Error('the limiter was not asked')
  return told.outcome
}

/** The library asks it nothing: the algorithm is ours, and what else it would ask for is off. */
const never = (): Promise<never> => Promise.reject(new Error('not offered'))
const neverAsked = { evalsha: never, get: never, set: never }

async function runScript(run: Run, key: string, call: WindowsCall): Promise<WindowsOutcome> {
  const places: string[] = []
  const windows: number[] = []
  for (const rule of call.rules) {
    const place = placeOf(rule, key, call)
    if (!places.includes(place)) places.push(place)
    windows.push(places.indexOf(place) + 1, rule.windowMs, rule.limit, burstMsOf(rule))
  }
  const args = [places.length, ...places, call.now, call.amount, ...windows]
  const result = await run(['EVALSHA', WINDOWS_SCRIPT_HASH, ...args]).catch((error: unknown) => {
    if (!String(error).includes('NOSCRIPT')) throw error
    return run(['EVAL', WINDOWS_SCRIPT, ...args])
  })
  return readOutcome(result, call.rules.length)
}

/** Numbers in the order in which the script returns them. */
function readOutcome(result: unknown, windows: number): WindowsOutcome {
  const numbers = Array.isArray(result) ? result.map(Number) : []
  if (
    numbers.length !== 2 + 2 * windows ||
    !numbers.every((n) => Number.isSafeInteger(n) && n >= 0)
  ) {
    throw new Error('Redis answered what is no outcome')
  }
  const [admitted = 0, retryAfterMs = 0, ...pairs] = numbers
  const usage: WindowUsage[] = []
  for (let index = 0; index < pairs.length; index += 2) {
    usage.push({ used: pairs[index] ?? 0, resetMs: pairs[index + 1] ?? 0 })
  }
  return { admitted: admitted === 1, retryAfterMs, usage }
}

/** The library's form: the tightest window. */
function toResponse(
  { rules, now }: WindowsCall,
  { admitted, retryAfterMs, usage }: WindowsOutcome,
) {
  const left = rules.map((rule, index) => rule.limit - (usage[index]?.used ?? 0))
  const remaining = Math.max(0, Math.min(...left))
  const limit = rules[left.indexOf(Math.min(...left))]?.limit ?? 0
  return {
    success: admitted,
    limit,
    remaining,
    reset: now + retryAfterMs,
    pending: Promise.resolve(),
  }
}
