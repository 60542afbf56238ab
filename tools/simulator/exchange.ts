// One request and its answer, with the journal entry that follows it. It ends exactly once: completed,
// faulted, or aborted by a caller that went away at any moment.
import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from './credential.ts'
import type { FaultPlan } from './faults.ts'
import type { JournalEntry, Outcome } from './journal.ts'
import { mix, Random } from './random.ts'
import type { RateView } from './buckets.ts'
import type { Simulator } from './simulator.ts'

export const NO_FAULT: FaultPlan = { text: '' }

export class Exchange {
  readonly sim: Simulator
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly n: number
  readonly path: string
  readonly query: string
  readonly entry: JournalEntry
  /** Seeded by the run and this request's number. */
  readonly random: Random
  faults: FaultPlan = NO_FAULT
  body: Buffer = Buffer.alloc(0)
  /** How errors are written: Claude's way, or OpenAI's on the compatible route. */
  errorStyle: 'claude' | 'openai' = 'claude'
  /** The limits to show in the answer's headers, where the route has any. */
  rateView: (() => RateView) | undefined
  /** Called once on the way out, whatever the end. */
  readonly onEnd: ((outcome: Outcome) => void)[] = []
  #caller: Caller | undefined

  constructor(sim: Simulator, req: IncomingMessage, res: ServerResponse) {
    this.sim = sim
    this.req = req
    this.res = res
    this.n = sim.nextNumber()
    this.random = new Random(mix(sim.seed, this.n))
    const url = req.url ?? '/'
    const mark = url.indexOf('?')
    this.path = mark === -1 ? url : url.slice(0, mark)
    this.query = mark === -1 ? '' : url.slice(mark)
    this.entry = newEntry(this)
    sim.journal.add(this.entry)
    res.once('close', () => this.finish('aborted'))
  }

  get finished(): boolean {
    return this.entry.finished_at !== null
  }

  get caller(): Caller {
    if (this.#caller === undefined) throw new Error('the caller is not known yet')
    return this.#caller
  }

  get isKnown(): boolean {
    return this.#caller !== undefined
  }

  enter(caller: Caller): void {
    this.#caller = caller
    this.entry.org = caller.org
    this.entry.workspace = caller.workspace
    this.sim.gauge.enter(caller.org)
  }

  takeBody(body: Buffer): void {
    const { hashBodies, keepBodyBytes } = this.sim.settings
    this.body = body
    this.entry.body_bytes = body.length
    if (hashBodies && body.length > 0) this.entry.body_sha256 = hash('sha256', body, 'hex')
    // A copy, since a slice would hold the whole body for as long as the journal does.
    if (keepBodyBytes > 0) this.entry.body = Buffer.from(body.subarray(0, keepBodyBytes))
  }

  /** Counts what was handed to the socket. */
  sent(bytes: number, events = 0): void {
    const { entry } = this
    entry.bytes += bytes
    entry.events += events
    if (entry.first_byte_at === null) {
      entry.first_byte_at = this.sim.now()
      this.sim.journal.changed(entry)
    }
  }

  finish(outcome: Outcome): void {
    const { entry, sim } = this
    if (entry.finished_at !== null) return
    entry.finished_at = sim.now()
    entry.outcome = outcome
    if (outcome === 'aborted') entry.aborted_at = entry.finished_at
    if (this.#caller !== undefined) sim.gauge.leave(this.#caller.org)
    for (const listener of this.onEnd) listener(outcome)
    sim.journal.changed(entry)
  }
}

function newEntry(exchange: Exchange): JournalEntry {
  const { req, sim } = exchange
  const tag = req.headers['anthropic-sim-tag'] ?? req.headers['x-sim-tag']
  return {
    n: exchange.n,
    at: sim.now(),
    method: req.method ?? 'GET',
    path: exchange.path,
    query: exchange.query,
    rawHeaders: req.rawHeaders,
    body_sha256: null,
    body_bytes: 0,
    body: null,
    request_id: `req_01${new Random(mix(sim.seed, exchange.n, 2)).base62(22)}`,
    org: null,
    workspace: null,
    model: null,
    stream: false,
    tag: typeof tag === 'string' ? tag : null,
    fault: null,
    status: null,
    message_id: null,
    events: 0,
    tokens: 0,
    bytes: 0,
    usage: null,
    outcome: null,
    first_byte_at: null,
    aborted_at: null,
    finished_at: null,
  }
}
