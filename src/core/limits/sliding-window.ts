// How many requests a window still admits, and when the next one. A window slides: it holds the requests of its
// last `windowMs`, never more than its limit. Requests close to each other are kept as one burst that leaves as a
// whole when its last one does, so that a log stays short whatever the limit: it errs by letting in up to a
// thirtieth of a window late, never early. The Lua script of adapters/upstash does the same sums.

/** `minute` and `hour` are a tenant's; the others hold around all tenants. */
export type WindowName = 'minute' | 'hour' | 'address' | 'deployment'

export interface WindowRule {
  readonly name: WindowName
  readonly limit: number
  readonly windowMs: number
}

export interface Burst {
  readonly firstAt: number
  readonly lastAt: number
  readonly count: number
}

/** Oldest first. */
export type WindowLog = readonly Burst[]

/** What became of a request, with each window's state in the order of the rules. */
export interface WindowsOutcome {
  readonly admitted: boolean
  /** 0 where it was admitted; else a request after that time is, if none comes before it. */
  readonly retryAfterMs: number
  readonly usage: readonly WindowUsage[]
}

export interface WindowUsage {
  readonly used: number
  /** Until the window is empty. */
  readonly resetMs: number
}

export interface WindowsStep {
  readonly logs: readonly WindowLog[]
  readonly outcome: WindowsOutcome
}

const MOST_BURSTS = 30

/** Requests within so much of a burst's first belong to it; 0 where each can be kept by itself. */
export function burstMsOf({ limit, windowMs }: WindowRule): number {
  return limit <= MOST_BURSTS ? 0 : Math.ceil(windowMs / MOST_BURSTS)
}

/** Counts one request against every window, or against none: a refusal changes nothing. */
export function takeFromWindows(
  logs: readonly WindowLog[],
  rules: readonly WindowRule[],
  now: number,
): WindowsStep {
  const current = rules.map((rule, index) => withoutOld(logs[index] ?? [], rule, now))
  const freeAt = rules.map((rule, index) => findFreeAt(current[index] ?? [], rule, now))
  const retryAt = Math.max(...freeAt)
  if (retryAt > now) {
    const usage = describe(current, rules, now)
    return { logs, outcome: { admitted: false, retryAfterMs: retryAt - now, usage } }
  }
  const after = rules.map((rule, index) => add(current[index] ?? [], rule, now))
  return {
    logs: after,
    outcome: { admitted: true, retryAfterMs: 0, usage: describe(after, rules, now) },
  }
}

/** What the windows hold, without counting anything. */
export function peekWindows(
  logs: readonly WindowLog[],
  rules: readonly WindowRule[],
  now: number,
): WindowsOutcome {
  const current = rules.map((rule, index) => withoutOld(logs[index] ?? [], rule, now))
  return { admitted: true, retryAfterMs: 0, usage: describe(current, rules, now) }
}

/** Gives back the newest request of every window. */
export function refundToWindows(
  logs: readonly WindowLog[],
  rules: readonly WindowRule[],
  now: number,
): readonly WindowLog[] {
  return rules.map((rule, index) => removeNewest(withoutOld(logs[index] ?? [], rule, now)))
}

/** A clock ahead of ours may have written what lies in our future: it counts from now. */
function withoutOld(log: WindowLog, rule: WindowRule, now: number): WindowLog {
  return log
    .map(({ firstAt, lastAt, count }) => ({
      firstAt: Math.min(firstAt, now),
      lastAt: Math.min(lastAt, now),
      count,
    }))
    .filter((burst) => burst.lastAt + rule.windowMs > now)
}

/** Now, or when enough bursts have left for one more request. */
function findFreeAt(log: WindowLog, rule: WindowRule, now: number): number {
  let over = countOf(log) + 1 - rule.limit
  if (over <= 0) return now
  for (const burst of log) {
    over -= burst.count
    if (over <= 0) return burst.lastAt + rule.windowMs
  }
  // A limit of 0 never has room; asking again makes sense when it may have been changed.
  return now + rule.windowMs
}

function add(log: WindowLog, rule: WindowRule, now: number): WindowLog {
  const newest = log.at(-1)
  if (newest === undefined || now - newest.firstAt >= burstMsOf(rule)) {
    return [...log, { firstAt: now, lastAt: now, count: 1 }]
  }
  return [...log.slice(0, -1), { ...newest, lastAt: now, count: newest.count + 1 }]
}

function removeNewest(log: WindowLog): WindowLog {
  const newest = log.at(-1)
  if (newest === undefined) return log
  const rest = log.slice(0, -1)
  return newest.count > 1 ? [...rest, { ...newest, count: newest.count - 1 }] : rest
}

function describe(
  logs: readonly WindowLog[],
  rules: readonly WindowRule[],
  now: number,
): WindowUsage[] {
  return rules.map((rule, index) => {
    const log = logs[index] ?? []
    const newest = log.at(-1)
    const resetMs = newest === undefined ? 0 : newest.lastAt + rule.windowMs - now
    return { used: countOf(log), resetMs }
  })
}

function countOf(log: WindowLog): number {
  return log.reduce((sum, burst) => sum + burst.count, 0)
}
