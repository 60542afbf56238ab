// Two accounts: a call goes to the other one when the first fails, before its first byte only; breakers open and close
// again; message threads stay where they were made.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODELS } from '../../../tools/simulator/models.ts'
import { type BlackHole, openBlackHole } from '../../support/black-hole.ts'
import { accountList } from '../../support/accounts.ts'
import { claudeCall, errorOf, eventsOf } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const CONSECUTIVE = 3
const COOLDOWN_MS = 1_000

let gateway: TestGateway
let hole: BlackHole

beforeAll(async () => {
  hole = await openBlackHole()
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: accountList(
        { id: 'alpha', models: ['claude-*'] },
        { id: 'beta', models: ['claude-*'] },
        { id: 'lone', models: ['lone-*'] },
        { id: 'locked', models: ['locked'], api_key: 'sk-ant-sim-invalid' },
        { id: 'hole', models: ['hole-*'], base_url: hole.url },
        { id: 'backup', models: ['locked', 'hole-or-*'], backup: true },
      ),
      SLUICE_CONNECT_TIMEOUT_MS: 400,
      SLUICE_RETRY_ATTEMPTS: 2,
      SLUICE_RETRY_BASE_MS: 1,
      SLUICE_RETRY_BUDGET_RATIO: 1,
      SLUICE_BREAKER_CONSECUTIVE: CONSECUTIVE,
      SLUICE_BREAKER_MIN_CALLS: 100_000,
      SLUICE_BREAKER_COOLDOWN_MS: COOLDOWN_MS,
      SLUICE_BREAKER_COOLDOWN_MAX_MS: COOLDOWN_MS,
      SLUICE_BREAKER_SUCCESSES: 1,
    },
  })
})

afterAll(async () => {
  hole.stop()
  await gateway.stop()
})

type Options = Omit<Parameters<typeof claudeCall>[0], 'key'>

const ask = (options: Options, key = gateway.keys.enterprise): Promise<RawAnswer> =>
  send(gateway.url, claudeCall({ key, ...options }))

/** Breakers stand by model class, so each case has a class of its own. */
const classes = [...new Map(MODELS.map((model) => [model.modelClass, model.id])).values()]
let used = 0
const nextModel = (): string => classes[used++] ?? ''

/** The account where a tag's calls went, in order. */
const accountsOf = (tag: string): (string | null)[] =>
  gateway.simulator.journal.list({ tag }).map(({ org }) => org)

describe('when one account fails', () => {
  it.each([
    ['a status', '529', false],
    ['a reset', 'reset', false],
    ['a page', '502', false],
    ['a rate limit', '429', false],
    ['an error event', 'error;after=0', true],
  ])('by %s, the call is answered by the other', async (_, fault, stream) => {
    const tag = newTag()
    gateway.simulator.sim.rules.add({ match: { tag }, fault, count: 1 })
    const answer = await ask({ tag, fields: { model: nextModel(), stream } })
    expect(answer.status).toBe(200)
    expect(answer.headers['sluice-attempts']).toBe('2')
    const [first, second] = accountsOf(tag)
    expect(new Set([first, second])).toEqual(new Set(['alpha', 'beta']))
    expect(answer.headers['sluice-account']).toBe(second)
  })

  it('after its first byte, the caller is told and nobody else is asked', async () => {
    const tag = newTag()
    const answer = await ask({
      tag,
      fault: 'cut;after=5',
      fields: { model: MODELS[0]?.id, stream: true },
    })
    expect(eventsOf(answer.body).at(-1)?.event).toBe('error')
    expect(accountsOf(tag)).toHaveLength(1)
  })

  it('for good, because its credential is refused, the backup answers from then on', async () => {
    // What the simulator thinks of the model does not matter: the credential is looked at first.
    gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
    const fault = 'canned=ok;type=application/json'
    const first = await ask({ fault, fields: { model: 'locked' } })
    expect(first.status).toBe(200)
    expect(first.headers['sluice-account']).toBe('backup')
    expect(first.headers['sluice-attempts']).toBe('2')
    const later = await eventually(
      () => ask({ fault, fields: { model: 'locked' } }),
      ({ headers }) => headers['sluice-attempts'] === '1',
      { withinMs: 1_000 },
    )
    expect(later.headers['sluice-account']).toBe('backup')
    expect(later.headers['sluice-attempts']).toBe('1')
  })
})

describe('an address on which handshakes hang', () => {
  const canned = 'canned=ok;type=application/json'

  it('is given up after the connect timeout, and the call is answered elsewhere', async () => {
    gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
    const answer = await ask({ fault: canned, fields: { model: 'hole-or-backup' } })
    expect(answer.status).toBe(200)
    expect(answer.headers['sluice-account']).toBe('backup')
    expect(answer.headers['sluice-attempts']).toBe('2')
    expect(answer.tookMs).toBeLessThan(2_000)
  })

  it('is told as a timeout where nobody else serves the model', async () => {
    const answer = await ask({
      fields: { model: 'hole-only' },
      headers: [['x-stainless-retry-count', '1']],
    })
    expect(answer.status).toBe(504)
    expect(answer.headers['sluice-reason']).toBe('upstream_timeout')
    expect(answer.tookMs).toBeGreaterThanOrEqual(390)
    expect(answer.tookMs).toBeLessThan(1_500)
  })

  it('is not what a slow answer is taken for', async () => {
    const answer = await ask({ fault: 'slow-headers=700', fields: { model: 'claude-sonnet-5-5' } })
    expect(answer.status).toBe(200)
    expect(answer.headers['sluice-attempts']).toBe('1')
  })
})

describe("an account's breaker", () => {
  it('opens after failures in a row, says when to come back, and closes again', async () => {
    const model = 'lone-breaker'
    gateway.simulator.sim.canned.set('ok', Buffer.from('{"type":"message"}'))
    const good = () => ask({ fault: 'canned=ok;type=application/json', fields: { model } })
    expect((await good()).status).toBe(200)
    const tag = newTag()
    const refused = await eventually(
      () => ask({ tag, fault: '500', fields: { model } }),
      ({ status }) => status === 503,
      { withinMs: 2_000 },
    )
    expect(refused.status).toBe(503)
    expect(refused.headers['sluice-reason']).toBe('accounts_open')
    expect(refused.headers['x-should-retry']).toBe('true')
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(2)
    expect(errorOf(refused).error.type).toBe('overloaded_error')
    // While it is open nothing reaches Claude.
    const failed = accountsOf(tag).length
    expect(failed).toBeGreaterThanOrEqual(CONSECUTIVE)
    expect((await ask({ tag, fields: { model } })).status).toBe(503)
    expect(accountsOf(tag)).toHaveLength(failed)
    // Other models of the same account are not held back.
    const other = await ask({
      fault: 'canned=ok;type=application/json',
      fields: { model: 'lone-other' },
    })
    expect(other.status).toBe(200)
    const back = await eventually(good, ({ status }) => status === 200, {
      withinMs: 2 * COOLDOWN_MS,
    })
    expect(back.status).toBe(200)
    expect((await good()).status).toBe(200)
  })

  it('opens again when its probe fails', async () => {
    const model = 'lone-probe'
    const fail = () => ask({ fault: '500', fields: { model } })
    const isOpen = ({ headers }: RawAnswer) => headers['sluice-reason'] === 'accounts_open'
    expect(isOpen(await eventually(fail, isOpen, { withinMs: 2_000 }))).toBe(true)
    // A probe goes through, fails, and the door is shut again.
    const probed = await eventually(fail, (answer) => !isOpen(answer), {
      withinMs: 2 * COOLDOWN_MS,
    })
    expect(probed.status).toBeGreaterThanOrEqual(500)
    expect(isOpen(await eventually(fail, isOpen, { withinMs: 500 }))).toBe(true)
  })
})

describe('a message thread', () => {
  const beta: [string, string] = ['anthropic-beta', 'message-threads-2026-08-12']
  const model = 'claude-opus-5'
  const create = (key?: string) =>
    ask({ headers: [beta], fields: { model, thread: { type: 'create' } } }, key)
  const goOn = (previousMessageId: unknown, options: Partial<Options> = {}) =>
    ask({
      headers: [beta],
      ...options,
      fields: { model, thread: { type: 'continue', previous_message_id: previousMessageId } },
    })
  const idOf = (answer: RawAnswer): unknown =>
    (JSON.parse(answer.body.toString()) as { id?: unknown }).id

  it('goes on at the account that made it, turn after turn', async () => {
    let answer = await create()
    const account = answer.headers['sluice-account']
    for (let turn = 0; turn < 6; turn += 1) {
      answer = await goOn(idOf(answer))
      expect(answer.status, answer.body.toString()).toBe(200)
      expect(answer.headers['sluice-account']).toBe(account)
    }
  })

  it('is tried at its own account only, where that fails', async () => {
    const made = await create()
    const tag = newTag()
    const answer = await goOn(idOf(made), { tag, fault: '529' })
    expect(accountsOf(tag).every((org) => org === made.headers['sluice-account'])).toBe(true)
    // The account is there and says no for now: that passes, and the thread with it does not end.
    expect(answer.status).toBe(529)
  })

  it('is refused in the way that lets a client go on without, while the breaker of its account is open', async () => {
    const made = await create()
    const refused = await eventually(
      () => goOn(idOf(made), { fault: '500' }),
      ({ status }) => status === 400,
      { withinMs: 2_000 },
    )
    expect(refused.status).toBe(400)
    const { error } = errorOf(refused)
    expect(error.type).toBe('invalid_request_error')
    expect(error.details).toMatchObject({ error_code: 'thread_unsupported_request' })
    expect(Array.isArray(error.details?.['unsupported'])).toBe(true)
    // Without its thread the same call is answered by the other account.
    expect((await ask({ fields: { model } })).status).toBe(200)
  })
})
