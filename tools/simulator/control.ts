// The control API under /__sim: journal, gauge, usage, rules, limits, canned bodies, reset. It needs
// no key and leaves no trace in the journal.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError, errorBody, invalid, notFound } from './api-error.ts'
import { isObject, textField } from './json.ts'
import { showEntry, type JournalFilter } from './journal.ts'
import type { Limits } from './rate-limits.ts'
import { readBody } from './read-body.ts'
import type { Simulator } from './simulator.ts'

const BODY_LIMIT_BYTES = 64 * 1024 * 1024
const LONGEST_WAIT_MS = 120_000

type Answer = { status: number; value: unknown }

export function isControl(url: string): boolean {
  return url === '/__sim' || url.startsWith('/__sim/')
}

export function handleControl(sim: Simulator, req: IncomingMessage, res: ServerResponse): void {
  answer(sim, req)
    .catch((error: unknown): Answer => {
      const known = error instanceof ApiError ? error : new ApiError(500, String(error))
      return { status: known.status, value: errorBody(known, null) }
    })
    .then(({ status, value }) => {
      const body = JSON.stringify(value)
      const length = Buffer.byteLength(body)
      res.writeHead(status, { 'content-type': 'application/json', 'content-length': length })
      res.end(body)
    })
    .catch(() => res.destroy())
}

async function answer(sim: Simulator, req: IncomingMessage): Promise<Answer> {
  const url = new URL(req.url ?? '/', 'http://simulator')
  const path = url.pathname.slice('/__sim/'.length)
  const [room = '', name] = path.split('/')
  const body = (await readBody(req, BODY_LIMIT_BYTES)) ?? Buffer.alloc(0)
  const method = req.method ?? 'GET'
  switch (`${method} ${name === undefined ? room : `${room}/*`}`) {
    case 'GET journal':
      return ok({ data: readJournal(sim, url.searchParams) })
    case 'GET journal/*':
      return ok({ data: await waitJournal(sim, url.searchParams) })
    case 'DELETE journal':
      sim.journal.clear()
      return ok({})
    case 'GET gauge':
      return ok(sim.gauge.view())
    case 'DELETE gauge':
      sim.gauge.resetMax()
      return ok({})
    case 'GET usage':
      return ok(sim.usage.view())
    case 'GET rules':
      return ok({ data: sim.rules.list() })
    case 'POST rules':
      return ok(sim.rules.add(parse(body)))
    case 'DELETE rules':
      sim.rules.clear()
      return ok({})
    case 'DELETE rules/*':
      sim.rules.remove(name ?? '')
      return ok({})
    case 'PUT limits':
      return ok(setLimits(sim, parse(body)))
    case 'PUT canned/*':
      sim.canned.set(decodeURIComponent(name ?? ''), body)
      return ok({ name, bytes: body.length })
    case 'POST batches/*':
      sim.batches.endNow(name ?? '')
      return ok({})
    case 'PUT settings':
      return ok(setSettings(sim, parse(body)))
    case 'POST reset':
      sim.reset()
      return ok({})
    default:
      throw notFound(`simulator: no such control: ${method} ${url.pathname}`)
  }
}

function ok(value: unknown): Answer {
  return { status: 200, value }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString()) as unknown
  } catch {
    throw invalid('simulator: the body is not JSON')
  }
}

function filterOf(params: URLSearchParams): JournalFilter {
  const text = (name: string) => params.get(name) ?? undefined
  const number = (name: string) => (params.has(name) ? Number(params.get(name)) : undefined)
  return {
    since: number('since'),
    org: text('org'),
    tag: text('tag'),
    model: text('model'),
    path: text('path'),
    outcome: text('outcome'),
    status: number('status'),
    state: text('state'),
  }
}

function readJournal(sim: Simulator, params: URLSearchParams) {
  const limit = params.has('limit') ? Number(params.get('limit')) : Number.POSITIVE_INFINITY
  const withBody = params.get('body') === '1'
  const id = params.get('id')
  const entries = sim.journal.list(filterOf(params), limit)
  const chosen = id === null ? entries : entries.filter((entry) => entry.request_id === id)
  return chosen.map((entry) => showEntry(entry, withBody))
}

async function waitJournal(sim: Simulator, params: URLSearchParams) {
  const timeoutMs = Math.min(Number(params.get('timeout_ms') ?? 5_000), LONGEST_WAIT_MS)
  const count = Number(params.get('count') ?? 1)
  const { state, ...filter } = filterOf(params)
  const wanted = state === undefined ? filter : { ...filter, state }
  const entries = await sim.journal.wait(wanted, { count, timeoutMs })
  return entries.map((entry) => showEntry(entry, params.get('body') === '1'))
}

const LIMIT_FIELDS: readonly (keyof Limits)[] = [
  'requests_per_minute',
  'input_tokens_per_minute',
  'output_tokens_per_minute',
  'max_concurrent',
]

function setLimits(sim: Simulator, input: unknown) {
  if (!isObject(input)) throw invalid('simulator: limits are an object')
  const org = textField(input, 'org') || '*'
  const modelClass = textField(input, 'model_class') || '*'
  const limits: Partial<Limits> = {}
  for (const field of LIMIT_FIELDS) {
    const value = input[field]
    if (typeof value === 'number') limits[field] = value
    else if (value === null && field === 'max_concurrent') limits.max_concurrent = null
  }
  sim.limits.configure(org, modelClass, limits)
  return sim.limits.limitsOf(org, modelClass)
}

/** The settings that may change while it runs. */
function setSettings(sim: Simulator, input: unknown) {
  if (!isObject(input)) throw invalid('simulator: settings are an object')
  const { settings } = sim
  const numbers = {
    latency_scale: 'latencyScale',
    fault_rate: 'faultRate',
    keep_body_bytes: 'keepBodyBytes',
    batch_ms: 'batchMs',
    batch_cancel_ms: 'batchCancelMs',
    thread_ttl_ms: 'threadTtlMs',
  } as const
  for (const [name, field] of Object.entries(numbers)) {
    const value = input[name]
    if (typeof value === 'number') settings[field as 'latencyScale'] = value
  }
  if (typeof input['threads'] === 'boolean') settings.threads = input['threads']
  if (typeof input['hash_bodies'] === 'boolean') settings.hashBodies = input['hash_bodies']
  return settings
}
