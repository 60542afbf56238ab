// Callers that go away, by FIN and by RST, in every phase of a call: no lease stays held, no tokens go on burning.
// The gate's state is seen from outside: an account of 20 slots that admits 20 calls at once holds no lease.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { MODELS } from '../../../tools/simulator/models.ts'
import { accountList } from '../../support/accounts.ts'
import { claudeCall } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import {
  leave,
  type Leaving,
  open,
  type RawRequest,
  readUntil,
  send,
  start,
} from '../../support/raw-http.ts'

const SLOTS = 20
const ABORT_WITHIN_MS = 1_000
const FIRST_BYTE_TIMEOUT_MS = 1_000
const QUEUE_WAIT_MS = 1_500
/** A FIN alone is noticed at the next write; until then a wait's own bound holds. */
const BOUND_MS = { rst: 1_000, fin: FIRST_BYTE_TIMEOUT_MS + QUEUE_WAIT_MS + 500 } as const
const WAYS: readonly Leaving[] = ['rst', 'fin']

/** An account for each case, found by its model: a lease that one case leaves behind is not the next one's. */
const ACCOUNTS = MODELS.slice(0, 12).map(({ id }, index) => ({
  id: `account${index}`,
  max_concurrent: SLOTS,
  models: [id],
}))
let current = -1

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: accountList(...ACCOUNTS),
      SLUICE_FIRST_BYTE_TIMEOUT_MS: FIRST_BYTE_TIMEOUT_MS,
      SLUICE_QUEUE_WAIT_MS: QUEUE_WAIT_MS,
      SLUICE_QUEUE_LENGTH: SLOTS,
      SLUICE_QUEUE_PER_TENANT: SLOTS,
      SLUICE_IDLE_TIMEOUT_MS: 20_000,
      SLUICE_LEASE_TTL_MS: 30_000,
      SLUICE_RETRY_ATTEMPTS: 1,
      SLUICE_BREAKER_CONSECUTIVE: 100_000,
      SLUICE_BREAKER_MIN_CALLS: 100_000,
    },
  })
})

afterAll(() => gateway.stop())
beforeEach(() => {
  current += 1
})

type CallOptions = Omit<Parameters<typeof claudeCall>[0], 'key'>

const callOf = ({ fields, ...options }: CallOptions): RawRequest => ({
  ...claudeCall({
    key: gateway.keys.enterprise,
    fields: { model: ACCOUNTS[current]?.models[0], ...fields },
    ...options,
  }),
  ownConnection: true,
})

const each = <T>(make: (index: number) => T): T[] =>
  Array.from({ length: SLOTS }, (_, i) => make(i))

/** Ms until as many calls as there are slots are admitted at once; Infinity: not within the bound. */
async function allFreeAfter(withinMs: number): Promise<number> {
  const from = performance.now()
  const admitted = await eventually(
    async () => {
      const answers = await Promise.all(
        each(() =>
          send(gateway.url, callOf({ fault: 'slow=120', headers: [['sluice-max-wait-ms', '0']] })),
        ),
      )
      return answers.filter(({ status }) => status === 200).length
    },
    (count) => count === SLOTS,
    { withinMs },
  )
  return admitted === SLOTS ? performance.now() - from : Infinity
}

const entriesOf = (tag: string, state: 'arrived' | 'finished', timeoutMs: number) =>
  gateway.simulator.journal.wait({ tag, state }, { count: SLOTS, timeoutMs })

/** Every upstream call of this tag was aborted, and how long after the callers left. */
async function abortsOf(tag: string, leftAt: number, withinMs: number): Promise<number[]> {
  const entries = await entriesOf(tag, 'finished', withinMs + 500)
  expect(entries.map(({ outcome }) => outcome)).toEqual(each(() => 'aborted'))
  return entries.map((entry) => (entry.aborted_at ?? Infinity) - leftAt)
}

describe.each(WAYS)('20 callers that leave by %s', (way) => {
  it('while they send their body hold no lease and reach no account', async () => {
    const tag = newTag()
    const body = JSON.stringify({ model: ACCOUNTS[current]?.models[0], text: 'x'.repeat(50_000) })
    const requests = each(() => start(gateway.url, callOf({ tag, body }), 0.5))
    const sockets = await Promise.all(
      requests.map(
        (request) =>
          new Promise<NonNullable<typeof request.socket>>((resolve) => {
            request.once('socket', (socket) =>
              socket.once('connect', () => setImmediate(() => resolve(socket))),
            )
          }),
      ),
    )
    for (const socket of sockets) leave(socket, way)
    expect(await allFreeAfter(BOUND_MS[way])).toBeLessThan(BOUND_MS[way])
    expect(gateway.simulator.journal.list({ tag })).toEqual([])
  })

  it('before the first byte of the answer give their leases back', async () => {
    const tag = newTag()
    const requests = each(() => start(gateway.url, callOf({ tag, fault: 'hang' })))
    expect(await entriesOf(tag, 'arrived', 5_000)).toHaveLength(SLOTS)
    const leftAt = Date.now()
    for (const { socket } of requests) if (socket !== null) leave(socket, way)
    const bound = way === 'rst' ? ABORT_WITHIN_MS : FIRST_BYTE_TIMEOUT_MS + 500
    for (const ms of await abortsOf(tag, leftAt, bound)) expect(ms).toBeLessThan(bound)
    expect(await allFreeAfter(BOUND_MS[way])).toBeLessThan(BOUND_MS[way])
  })

  it('while they wait for a lease give their places back', async () => {
    const holders = newTag()
    const held = each(() => send(gateway.url, callOf({ tag: holders, fault: 'hang=700' })))
    expect(await entriesOf(holders, 'arrived', 5_000)).toHaveLength(SLOTS)
    const tag = newTag()
    const waiters = each(() => start(gateway.url, callOf({ tag })))
    expect(await placesLeft((left) => left === 0)).toBe(0)
    for (const { socket } of waiters) if (socket !== null) leave(socket, way)
    if (way === 'rst') {
      // Long before a slot frees, and before their wait would have been over.
      expect(await placesLeft((left) => left > 0)).toBeGreaterThan(0)
    }
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual(each(() => 200))
    expect(await allFreeAfter(BOUND_MS[way])).toBeLessThan(BOUND_MS[way])
    if (way === 'rst') expect(gateway.simulator.journal.list({ tag })).toEqual([])
  })

  it('in the middle of a stream abort it upstream within a second', async () => {
    const tag = newTag()
    const prompt = '[sim:tokens=4000][sim:deltas=1000][sim:gap=20]'
    const fields = { stream: true, max_tokens: 8_000 }
    const answers = await Promise.all(
      each(() => open(gateway.url, callOf({ tag, prompt, fields }))),
    )
    await Promise.all(answers.map(({ response }) => readUntil(response, 'content_block_delta')))
    const leftAt = Date.now()
    for (const { response, socket } of answers) {
      response.on('error', () => {})
      leave(socket, way)
    }
    for (const ms of await abortsOf(tag, leftAt, ABORT_WITHIN_MS)) {
      expect(ms).toBeLessThan(ABORT_WITHIN_MS)
    }
    expect(await allFreeAfter(BOUND_MS.rst)).toBeLessThan(BOUND_MS.rst)
  })

  it('at any moment in between leave no lease behind', async () => {
    const prompt = '[sim:tokens=60][sim:deltas=15][sim:gap=2]'
    const fields = { stream: true }
    await Promise.all(
      each(async (index) => {
        const request = start(gateway.url, callOf({ prompt, fields, fault: 'slow=10' }))
        // Two milliseconds apart: across authentication, admission, the upstream call and the stream.
        await new Promise((resolve) => setTimeout(resolve, 2 * index))
        if (request.socket === null) request.destroy()
        else leave(request.socket, way)
      }),
    )
    expect(await allFreeAfter(BOUND_MS.rst)).toBeLessThan(BOUND_MS.rst)
  })

  it('after the last event, before the end of the answer, leave nothing behind', async () => {
    const tag = newTag()
    const complete = await send(gateway.url, callOf({ fields: { stream: true } }))
    gateway.simulator.sim.canned.set('complete', complete.body)
    const answers = await Promise.all(
      each(() =>
        open(
          gateway.url,
          // All events, and then an upstream connection that stays open.
          callOf({ tag, fields: { stream: true }, fault: 'canned=complete,stall;after=1;ms=600' }),
        ),
      ),
    )
    await Promise.all(answers.map(({ response }) => readUntil(response, 'message_stop')))
    for (const { response, socket } of answers) {
      response.on('error', () => {})
      leave(socket, way)
    }
    expect(await entriesOf(tag, 'finished', 2_000)).toHaveLength(SLOTS)
    expect(await allFreeAfter(BOUND_MS.rst)).toBeLessThan(BOUND_MS.rst)
  })
})

it('after all of them nothing is open upstream', async () => {
  const { gauge } = gateway.simulator.sim
  const open = await eventually(
    () => ACCOUNTS.map(({ id }) => gauge.inFlight(id)),
    (counts) => counts.every((count) => count === 0),
    { withinMs: 2_000 },
  )
  expect(open).toEqual(ACCOUNTS.map(() => 0))
})

/** 1 where a call that would wait finds a place in the queue, 0 where the queue is full. */
async function placesLeft(passes: (left: number) => boolean): Promise<number> {
  return eventually(
    async () => {
      const { headers } = await send(
        gateway.url,
        callOf({ tag: 'probe', headers: [['sluice-max-wait-ms', '1']] }),
      )
      return headers['sluice-reason'] === 'queue_full' ? 0 : 1
    },
    passes,
    { withinMs: 900 },
  )
}
