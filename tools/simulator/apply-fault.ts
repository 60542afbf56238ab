// Chooses the fault of a request and plays the ones that come instead of an answer, or before it.
import { ApiError } from './api-error.ts'
import type { JsonObject } from './json.ts'
import { cannedPieces } from './canned.ts'
import type { Exchange } from './exchange.ts'
import { parseFaults, type CannedFault, type FaultPlan, type StatusFault } from './faults.ts'
import { isObject } from './json.ts'
import { mix, Random } from './random.ts'
import { htmlPage, sendError, sendJson, sendStream } from './respond.ts'
import type { HeaderPair } from './response-headers.ts'

const ERROR_CODES: Record<string, string> = {
  ramp: 'ramp_limit_exceeded',
  spend: 'enforced_spend_limit_reached',
  contract: 'contract_spend_limit_reached',
}

const MESSAGES: Record<string, string> = {
  '400': 'simulator: bad request',
  '401': 'invalid x-api-key',
  '402': 'Your credit balance is too low to access the Claude API.',
  '403': 'Your API key does not have permission to use the specified resource',
  '404': 'Not found',
  '413': 'Request exceeds the maximum size',
  '429': "This request would exceed your organization's rate limit. Please try again later.",
  '429 ramp': 'Your usage is growing too fast. Please increase your request rate gradually.',
  '429 spend': 'Your organization has reached its spend limit.',
  '429 contract': 'Your organization has reached the spend limit of its contract.',
  '500': 'Internal server error',
  '503': 'Service unavailable',
  '504': 'The request timed out.',
  '529': 'Overloaded',
}

/** A header decides first, then the rules, then the global rate. */
export function chooseFault(exchange: Exchange): FaultPlan | undefined {
  const { sim, req } = exchange
  const header = req.headers['anthropic-sim-fault'] ?? req.headers['x-sim-fault']
  if (typeof header === 'string' && header.trim() !== '') return parseFaults(header)
  const byRule = sim.rules.isEmpty ? undefined : sim.rules.pick(subjectOf(exchange))
  if (byRule !== undefined) return byRule
  const { faultRate, faultMix } = sim.settings
  if (faultRate === 0 || faultMix.length === 0) return undefined
  const random = new Random(mix(sim.seed, exchange.n, 3))
  return random.chance(faultRate) ? parseFaults(random.pick(faultMix)) : undefined
}

/** True when the fault has taken the answer's place. */
export async function playFault(exchange: Exchange): Promise<boolean> {
  const { faults } = exchange
  if (faults.resetAtOnce === true) {
    exchange.res.socket?.resetAndDestroy()
    exchange.finish('faulted')
    return true
  }
  if (faults.hang !== undefined) {
    if (faults.hang.resumeMs === undefined) return true
    await pause(exchange, faults.hang.resumeMs)
  }
  if (faults.slowMs !== undefined) await pause(exchange, faults.slowMs)
  if (exchange.finished) return true
  if (faults.status !== undefined) {
    sendStatus(exchange, faults.status)
    return true
  }
  if (faults.canned !== undefined) {
    sendCanned(exchange, faults.canned)
    return true
  }
  return false
}

function sendCanned(exchange: Exchange, fault: CannedFault): void {
  const { contentType, status } = fault
  const pieces = cannedPieces(exchange.sim.canned, fault)
  const whole = pieces[0]?.data
  if (contentType.startsWith('application/json') && fault.by === 'all' && Buffer.isBuffer(whole)) {
    sendJson(exchange, { status, contentType, body: whole })
    return
  }
  sendStream(exchange, { status, contentType, pieces })
}

export function pause(exchange: Exchange, ms: number): Promise<void> {
  return new Promise((resolve) => exchange.sim.wheel.after(ms, resolve))
}

function sendStatus(exchange: Exchange, fault: StatusFault): void {
  const headers: HeaderPair[] = []
  const retryAfter = fault.retryAfter ?? defaultRetryAfter(fault)
  if (retryAfter !== undefined) headers.push(['retry-after', retryAfter])
  if (fault.shouldRetry !== undefined) headers.push(['x-should-retry', fault.shouldRetry])
  if (fault.html) {
    const contentType = 'text/html; charset=UTF-8'
    sendJson(exchange, { status: fault.status, body: htmlPage(), headers, contentType })
    return
  }
  sendError(exchange, statusError(fault, headers))
}

function statusError(fault: StatusFault, headers: HeaderPair[]): ApiError {
  const { status, kind } = fault
  const message =
    fault.message ?? MESSAGES[`${status} ${kind}`] ?? MESSAGES[String(status)] ?? 'Simulated error'
  const code = ERROR_CODES[kind]
  return new ApiError(status, message, {
    headers: Object.fromEntries(headers),
    ...(fault.type === undefined ? {} : { type: fault.type }),
    ...(code === undefined ? {} : { details: { error_code: code } satisfies JsonObject }),
  })
}

/** A rate limit says when to come back; a reached spend limit does not. */
function defaultRetryAfter(fault: StatusFault): string | undefined {
  if (fault.status !== 429) return undefined
  return fault.kind === 'spend' || fault.kind === 'contract' ? undefined : '1'
}

function subjectOf(exchange: Exchange) {
  const { n, path, entry, caller } = exchange
  return {
    n,
    path,
    org: caller.org,
    workspace: caller.workspace,
    tag: entry.tag,
    get model() {
      return modelIn(exchange.body)
    },
  }
}

function modelIn(body: Buffer): string | null {
  try {
    const value: unknown = JSON.parse(body.toString())
    return isObject(value) && typeof value['model'] === 'string' ? value['model'] : null
  } catch {
    return null
  }
}
