// Accounts that join, change and leave while a gateway runs, by its admin plane and by its database.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountList } from '../../support/accounts.ts'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { untilHeld } from '../../support/change-holds.ts'
import { eventually } from '../../support/eventually.ts'
import { changeDatabase } from '../../support/gateway-database.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newTag } from '../../support/gateway-simulator.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const KEY_CACHE_MS = 600
/** Between a change and our noticing that it was made. */
const MARGIN_MS = 100
const MODEL = 'claude-haiku-5-5'
/** What an added account's credential is recognized by; the simulator takes what follows `sim-` for its organization. */
const CANARY = 'canary7f3a'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    settings: {
      ANTHROPIC_ACCOUNTS: accountList({ id: 'given', max_concurrent: 3 }),
      SLUICE_KEY_CACHE_MS: KEY_CACHE_MS,
      SLUICE_QUEUE_WAIT_MS: 20_000,
    },
  })
})
afterAll(() => gateway.stop())

interface AdminAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

/** Everything that the admin plane has said in this file. */
const said: string[] = []

async function admin(route: string, body?: unknown): Promise<AdminAnswer> {
  const [method = '', path = ''] = route.split(' ')
  const response = await fetch(`${gateway.url}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${gateway.adminToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  said.push(text)
  const parsed = JSON.parse(text) as AdminAnswer['body']
  return { status: response.status, headers: response.headers, text, body: parsed }
}

const ask = (
  options: { readonly tag?: string; readonly fault?: string } = {},
): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({ key: gateway.keys.enterprise, fields: { model: MODEL }, ...options }),
  )

const accountOfNext = async (): Promise<string> => String((await ask()).headers['sluice-account'])

/** Calls until one is answered by that account; how long others still were. */
async function msUntilAnsweredBy(account: string): Promise<number> {
  const { answer, heldAfterMs } = await untilHeld(accountOfNext, (each) => each === account)
  expect(answer).toBe(account)
  return heldAfterMs
}

const add = (id: string, fields = {}): Promise<AdminAnswer> =>
  admin('POST /accounts', { id, api_key: `sk-ant-sim-${CANARY}-${id}`, ...fields })

/** As an isolate elsewhere would be told: by the database alone. */
const drainElsewhere = (id: string, since: number | null): void => {
  const upsert = `INSERT INTO accounts (id, draining_since, created_at) VALUES (?1, ?2, 1)
    ON CONFLICT (id) DO UPDATE SET draining_since = excluded.draining_since`
  changeDatabase(gateway.dir, upsert, id, since)
}

describe('an account that is added while the gateway runs', () => {
  it('takes calls at once where it was added, with its own credential', async () => {
    expect(await accountOfNext()).toBe('given')
    expect((await add('added', { weight: 1_000_000 })).status).toBe(201)
    expect(await msUntilAnsweredBy('added')).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
    const tag = newTag()
    await ask({ tag })
    const [entry] = gateway.simulator.journal.list({ tag })
    expect(entry?.org).toBe(CANARY)
    const ready = await fetch(`${gateway.url}/ready`)
    expect(await ready.json()).toMatchObject({
      accounts: { given: { state: 'ok' }, added: { state: 'ok' } },
    })
  })

  it('and what is changed elsewhere holds here after the cache time', async () => {
    drainElsewhere('added', Date.now())
    expect(await msUntilAnsweredBy('given')).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
    for (let i = 0; i < 5; i += 1) expect(await accountOfNext()).toBe('given')
    drainElsewhere('added', null)
    expect(await msUntilAnsweredBy('added')).toBeLessThan(KEY_CACHE_MS + MARGIN_MS)
  })
})

describe('a gate by hand', () => {
  it('opened, lets nothing pass from the next call on; closed, lets all pass', async () => {
    await admin('PATCH /accounts/added', { draining: true })
    expect(await accountOfNext()).toBe('given')
    const opened = await admin('POST /accounts/given/open')
    expect(opened.body).toMatchObject({ state: 'open', hold: 'manual', unused: { reason: 'open' } })
    const refused = await ask()
    expect([refused.status, refused.headers['sluice-reason']]).toEqual([503, 'accounts_open'])
    expect(errorOf(refused).error.type).toBe('overloaded_error')
    await admin('POST /accounts/given/close')
    expect((await ask()).status).toBe(200)
    await admin('POST /accounts/given/reset')
    expect((await ask()).status).toBe(200)
    const { body } = await admin('GET /accounts/given/timeline')
    expect(body['data']).toMatchObject([
      { from: 'closed', to: 'closed', cause: 'operator_reset' },
      { from: 'manual', to: 'closed', cause: 'operator' },
      { from: 'closed', to: 'manual', cause: 'operator' },
    ])
    await admin('PATCH /accounts/added', { draining: false })
  })
})

describe('an account that leaves', () => {
  it('loses no call: it drains, refuses to be deleted while calls run, and then goes', async () => {
    await admin('PATCH /accounts/added', { max_concurrent: 4, weight: 1 })
    const answers: RawAnswer[] = []
    let stopping = false
    // More callers than slots, so that some wait at each account as it drains.
    const callers = Array.from({ length: 16 }, async () => {
      while (!stopping) answers.push(await ask({ fault: 'slow=20' }))
    })
    await expect
      .poll(async () => (await admin('GET /accounts/added')).body, { timeout: 5_000 })
      .toMatchObject({ in_use: 4, waiting: { high: expect.toSatisfy((calls) => calls > 0) } })
    const early = await admin('DELETE /accounts/added')
    expect([early.status, early.headers.get('sluice-reason')]).toEqual([409, 'account_in_use'])
    expect(early.text).toMatch(/\d calls run on it .*set draining first/)

    await admin('PATCH /accounts/added', { draining: true })
    const deleted = await eventually(
      () => admin('DELETE /accounts/added'),
      ({ status }) => status !== 409,
      { withinMs: 15_000, everyMs: 100 },
    )
    expect([deleted.status, deleted.body]).toEqual([200, { id: 'added', deleted: true }])
    const before = answers.length
    await eventually(
      () => answers.length,
      (count) => count >= before + 10,
      { withinMs: 10_000 },
    )
    stopping = true
    await Promise.all(callers)

    expect(answers.filter(({ status }) => status !== 200).map(errorOf)).toEqual([])
    expect(answers.slice(before + 4).map(({ headers }) => headers['sluice-account'])).not.toContain(
      'added',
    )
    expect((await admin('GET /accounts/added')).status).toBe(404)
  })
})

describe("an added account's credential", () => {
  it('is in no answer, no log and no file', async () => {
    await add('secret')
    await admin('PATCH /accounts/secret', { api_key: `sk-ant-sim-${CANARY}-other` })
    await admin('POST /accounts', { id: 'secret', api_key: `${CANARY} with a space` })
    for (const route of ['/accounts', '/accounts/secret', '/events', '/accounts/secret/timeline']) {
      expect((await admin(`GET ${route}`)).status).toBe(200)
    }
    expect(said.filter((text) => text.includes(CANARY))).toEqual([])
    expect(gateway.stderr()).not.toContain(CANARY)
    const files = readdirSync(gateway.dir, { recursive: true, withFileTypes: true })
    const holding = files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .filter((path) => readFileSync(path).includes(CANARY))
    expect(holding).toEqual([])
  })
})
