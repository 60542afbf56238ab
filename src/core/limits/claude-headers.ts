// A tenant's limits in the words of Claude's own headers, so that its clients read ours as they read Claude's: requests
// and tokens as `limit`, `remaining` and `reset` (RFC 3339, whole seconds), money as the `unified` windows of Claude's
// plans, which know a share that is used and an end (seconds since the epoch). Decision record 0009 has the sources.

export interface LimitState {
  readonly limit: number
  readonly remaining: number
  /** When the whole limit is free again. */
  readonly resetAt: number
}

export interface BudgetState {
  readonly limit: number
  readonly left: number
  /** When the next day or month begins. */
  readonly resetAt: number
}

/** Null: there is no such limit, and so no header. */
export interface ClaudeLimits {
  readonly requests: LimitState | null
  readonly inputTokens: LimitState | null
  readonly outputTokens: LimitState | null
  readonly day: BudgetState | null
  readonly month: BudgetState | null
}

const PREFIX = 'anthropic-ratelimit'
/** From this share on a client may warn its user. */
const WARNING_SHARE = 0.8

export type ClaudeHeaders = Readonly<Record<string, string>>

export function claudeHeaders(limits: ClaudeLimits): ClaudeHeaders {
  const { requests, inputTokens, outputTokens } = limits
  return {
    ...describe('requests', requests),
    ...describe('input-tokens', inputTokens),
    ...describe('output-tokens', outputTokens),
    ...describe('tokens', together(inputTokens, outputTokens)),
    ...unified(limits),
  }
}

function describe(name: string, state: LimitState | null): ClaudeHeaders {
  if (state === null) return {}
  return {
    [`${PREFIX}-${name}-limit`]: String(state.limit),
    [`${PREFIX}-${name}-remaining`]: String(state.remaining),
    [`${PREFIX}-${name}-reset`]: `${new Date(state.resetAt).toISOString().slice(0, 19)}Z`,
  }
}

/** As Claude tells it: both sides added up. With one side unlimited there is no sum. */
function together(input: LimitState | null, output: LimitState | null): LimitState | null {
  if (input === null || output === null) return null
  return {
    limit: input.limit + output.limit,
    remaining: input.remaining + output.remaining,
    resetAt: Math.max(input.resetAt, output.resetAt),
  }
}

interface Window {
  readonly name: '5h' | '7d'
  readonly claim: 'five_hour' | 'seven_day'
  readonly used: number
  readonly resetAt: number
}

/** The day stands where Claude's plans have five hours, the month where they have seven days. */
function unified({ day, month }: ClaudeLimits): ClaudeHeaders {
  const windows: Window[] = []
  if (day !== null) windows.push(toWindow('5h', 'five_hour', day))
  if (month !== null) windows.push(toWindow('7d', 'seven_day', month))
  const [first, second = first] = windows
  if (first === undefined || second === undefined) return {}
  const tightest = second.used > first.used ? second : first
  const headers: Record<string, string> = {
    [`${PREFIX}-unified-status`]: statusOf(tightest),
    [`${PREFIX}-unified-representative-claim`]: tightest.claim,
    [`${PREFIX}-unified-reset`]: seconds(tightest.resetAt),
  }
  for (const window of windows) {
    headers[`${PREFIX}-unified-${window.name}-status`] = statusOf(window)
    headers[`${PREFIX}-unified-${window.name}-reset`] = seconds(window.resetAt)
    headers[`${PREFIX}-unified-${window.name}-utilization`] = String(window.used)
  }
  return headers
}

function toWindow(
  name: Window['name'],
  claim: Window['claim'],
  { limit, left, resetAt }: BudgetState,
): Window {
  const share = limit <= 0 ? 1 : Math.min(1, Math.max(0, 1 - left / limit))
  // Downwards: only what is used up is told as 1.
  return { name, claim, used: Math.floor(share * 1e4) / 1e4, resetAt }
}

function statusOf({ used }: Window): 'allowed' | 'allowed_warning' | 'rejected' {
  if (used >= 1) return 'rejected'
  return used >= WARNING_SHARE ? 'allowed_warning' : 'allowed'
}

const seconds = (at: number): string => String(Math.ceil(at / 1000))
