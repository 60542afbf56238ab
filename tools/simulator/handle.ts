// One request from its head to its answer: who calls, how many calls it has open, its body, its fault,
// its route.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError } from './api-error.ts'
import { chooseFault, playFault } from './apply-fault.ts'
import { identify } from './credential.ts'
import { Exchange, NO_FAULT } from './exchange.ts'
import { drainBody, readBody } from './read-body.ts'
import { sendError } from './respond.ts'
import { route } from './router.ts'
import type { Simulator } from './simulator.ts'

const BATCH_LIMIT_BYTES = 256 * 1024 * 1024
const BATCHES = '/v1/messages/batches'
const OPENAI = '/v1/chat/completions'
const FILES = '/v1/files'

export function handleRequest(sim: Simulator, req: IncomingMessage, res: ServerResponse): void {
  const exchange = new Exchange(sim, req, res)
  run(exchange).catch((error: unknown) => sendError(exchange, error))
}

async function run(exchange: Exchange): Promise<void> {
  const { req, path, sim } = exchange
  if (path === '/api/hello') return sayHello(exchange)
  if (path === OPENAI) exchange.errorStyle = 'openai'
  const caller = identify(req.headers)
  await connectionsClosed()
  if (exchange.finished) return
  exchange.enter(caller)
  checkConcurrency(exchange)
  // Known before the body, a canned answer can let it pass by unread.
  if (!sim.rules.needModel) exchange.faults = chooseFault(exchange) ?? NO_FAULT
  if (!isUpload(exchange) && !(await takeBody(exchange))) return exchange.finish('aborted')
  if (sim.rules.needModel) exchange.faults = chooseFault(exchange) ?? NO_FAULT
  if (exchange.faults !== NO_FAULT) {
    exchange.entry.fault = exchange.faults.text
    if (await playFault(exchange)) return
  }
  await route(exchange)
}

/**
 * Connections that were closed before this request came are seen as closed before it is counted: Node reads all that has
 * come in one turn, and closes at the turn's end.
 */
const connectionsClosed = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

async function takeBody(exchange: Exchange): Promise<boolean> {
  const { req, path, sim, faults } = exchange
  const limit = path === BATCHES ? BATCH_LIMIT_BYTES : sim.settings.maxBodyBytes
  const { hashBodies, keepBodyBytes } = sim.settings
  if (faults.canned !== undefined && !hashBodies && keepBodyBytes === 0) {
    const bytes = await drainBody(req, limit)
    exchange.entry.body_bytes = bytes ?? 0
    return bytes !== undefined && !exchange.finished
  }
  const body = await readBody(req, limit)
  if (body === undefined || exchange.finished) return false
  exchange.takeBody(body)
  return true
}

/** An upload is read as it comes, by its own route. */
function isUpload(exchange: Exchange): boolean {
  return exchange.path === FILES && exchange.req.method === 'POST'
}

function sayHello(exchange: Exchange): void {
  exchange.entry.status = 200
  exchange.sent(0)
  exchange.res.writeHead(200, { 'content-length': '0' })
  exchange.res.end()
  exchange.finish('completed')
}

function checkConcurrency(exchange: Exchange): void {
  const { sim, caller } = exchange
  const most = sim.limits.limitsOf(caller.org, '*').max_concurrent
  if (most === null || sim.gauge.inFlight(caller.org) <= most) return
  throw new ApiError(429, 'Number of concurrent connections has exceeded your rate limit.', {
    headers: { 'retry-after': '1' },
  })
}
