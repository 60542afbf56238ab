import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AdminHouse, dataOf, openAdminHouse } from '../../support/admin-house.ts'

const SECRET = 'sk-ant-canary-of-an-added-account'
const ADDED = { id: 'east', api_key: SECRET, base_url: 'https://claude.test/', weight: 2 }

let house: AdminHouse
beforeEach(() => {
  // Nothing is trusted for long, so that a deletion need not wait for other isolates.
  house = openAdminHouse({ SLUICE_KEY_CACHE_MS: '0' })
})
afterEach(() => house.close())

const eventsOf = async (target: string) =>
  dataOf(await house.ask(`GET /events?target=${target}`)).map(({ action, before, after }) => ({
    action: String(action),
    before,
    after,
  }))

describe('adding an account', () => {
  test('shows it as it is, and it is listed beside those of the settings', async () => {
    const added = await house.ask('POST /accounts', { body: ADDED })
    expect(added.status).toBe(201)
    const shown = await house.ask('GET /accounts/east')
    // A gate begins its first epoch when it is first asked.
    expect({ ...added.body, epoch: 1 }).toEqual(shown.body)
    expect(shown.body).toEqual({
      id: 'east',
      state: 'closed',
      models: {},
      epoch: 1,
      limit: 50,
      max_concurrent: 50,
      in_use: 0,
      waiting: { high: 0, normal: 0, low: 0 },
      waiting_by_tenant: {},
      leases: [],
      rate: { requests: null, input_tokens: null, output_tokens: null },
      retry_budget: expect.any(Number),
      draining: false,
      weight: 2,
      last_errors: [],
      hold: null,
      organization: null,
      shares_organization_with: [],
      unused: null,
      problem: null,
      source: 'added',
      backup: false,
      serves: ['*'],
      min_concurrent: 1,
      base_url: 'https://claude.test',
      location_hint: null,
      draining_since: null,
      credential_since: expect.stringMatching(/^\d{4}-.*Z$/),
      created_at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    const list = await house.ask('GET /accounts')
    expect(dataOf(list).map(({ id, source }) => [id, source])).toEqual([
      ['default', 'settings'],
      ['east', 'added'],
    ])
  })

  test('leaves the credential nowhere but sealed: no answer, no event, no log, no row', async () => {
    const answers = [
      await house.ask('POST /accounts', { body: ADDED, headers: { 'idempotency-key': 'once' } }),
      await house.ask('POST /accounts', { body: ADDED, headers: { 'idempotency-key': 'once' } }),
      await house.ask('POST /accounts', { body: ADDED }),
      await house.ask('POST /accounts', { body: { ...ADDED, id: 7 } }),
      await house.ask('POST /accounts', { body: `{"api_key":"${SECRET}"` }),
      await house.ask('PATCH /accounts/east', { body: { api_key: SECRET } }),
      await house.ask('PATCH /accounts/default', { body: { api_key: SECRET } }),
      await house.ask('GET /accounts/east'),
      await house.ask('GET /accounts'),
      await house.ask('GET /events'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([
      201, 201, 400, 400, 400, 200, 400, 200, 200, 200,
    ])
    const tables = house.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    const rows = tables.map((table) =>
      house.db.prepare(`SELECT * FROM "${String(table['name'])}"`).all(),
    )
    expect(JSON.stringify([answers.map(({ body }) => body), house.log, rows])).not.toContain(
      'canary',
    )
  })

  test('with one idempotency-key adds one, however often it is said at once', async () => {
    const asks = Array.from({ length: 20 }, () =>
      house.ask('POST /accounts', { body: ADDED, headers: { 'idempotency-key': 'k1' } }),
    )
    const answers = await Promise.all(asks)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(await eventsOf('east')).toHaveLength(1)
  })

  test('of an id that is taken changes nothing', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    for (const id of ['east', 'default']) {
      const answer = await house.ask('POST /accounts', { body: { ...ADDED, id, weight: 9 } })
      expect([answer.status, JSON.stringify(answer.body)]).toEqual([
        400,
        expect.stringContaining('id: expected one that no other account has'),
      ])
    }
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({ weight: 2 })
  })

  test.each([
    ['id', { id: '../up' }],
    ['id', { id: '.' }],
    ['id', { id: 'x'.repeat(65) }],
    ['api_key', { api_key: 'sk ant' }],
    ['api_key', { api_key: 'sk\nant' }],
    ['api_key', { api_key: '' }],
    ['api_key', { api_key: undefined }],
    ['base_url', { base_url: 'http://claude.test' }],
    ['base_url', { base_url: 'https://user:pass@claude.test' }],
    ['base_url', { base_url: 'https://claude.test/?a=b' }],
    ['base_url', { base_url: 'https://claude.test:99999' }],
    ['base_url', { base_url: 'http://127.0.0.1.evil.test' }],
    ['weight', { weight: 0 }],
    ['weight', { weight: '1' }],
    ['max_concurrent', { max_concurrent: 0 }],
    ['max_concurrent', { max_concurrent: 1.5 }],
    ['min_concurrent', { min_concurrent: 0 }],
    ['min_concurrent', { min_concurrent: 60 }],
    ['models', { models: [] }],
    ['models', { models: 'claude-*' }],
    ['location_hint', { location_hint: 'mars' }],
    ['backup', { backup: 'no' }],
    ['colour', { colour: 'red' }],
  ])('with a wrong %s names it: %j', async (field, wrong) => {
    const answer = await house.ask('POST /accounts', { body: { ...ADDED, ...wrong } })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ error: { message: expect.stringMatching(`^${field}\\b`) } })
    expect(dataOf(await house.ask('GET /accounts'))).toHaveLength(1)
  })

  test.each([
    'http://127.0.0.1:8080',
    'http://localhost:1',
    'http://[::1]:1/x',
    'https://c.test:1/a',
  ])('takes the address %s', async (base_url) => {
    const answer = await house.ask('POST /accounts', { body: { ...ADDED, base_url } })
    expect(answer.body).toMatchObject({ base_url })
  })
})

describe('changing an account', () => {
  test('of the settings lays over it what is said, and null takes it back', async () => {
    const body = { weight: 5, max_concurrent: 3, backup: true, models: ['claude-haiku-*'] }
    const changed = await house.ask('PATCH /accounts/default', { body })
    expect(changed.body).toMatchObject({
      weight: 5,
      max_concurrent: 3,
      limit: 3,
      backup: true,
      serves: ['claude-haiku-*'],
      source: 'settings',
    })
    await house.ask('PATCH /accounts/default', { body: { weight: null, models: null } })
    expect((await house.ask('GET /accounts/default')).body).toMatchObject({
      weight: 1,
      max_concurrent: 3,
      serves: ['*'],
    })
  })

  test('two changes at once of two fields both hold', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    await Promise.all([
      house.ask('PATCH /accounts/east', { body: { weight: 8 } }),
      house.ask('PATCH /accounts/east', { body: { max_concurrent: 4 } }),
      house.ask('PATCH /accounts/east', { body: { draining: true } }),
    ])
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({
      weight: 8,
      max_concurrent: 4,
      draining: true,
      unused: { reason: 'draining' },
    })
  })

  test('is in the audit trail, before and after, and no change is no event', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    await house.ask('PATCH /accounts/east', { body: { weight: 3 } })
    await house.ask('PATCH /accounts/east', { body: { weight: 3 } })
    expect(await eventsOf('east')).toMatchObject([
      { action: 'account.update', before: { weight: 2 }, after: { weight: 3, source: 'added' } },
      { action: 'account.create', before: null, after: { id: 'east', weight: 2 } },
    ])
  })

  test('of its credential is in the audit trail too, without it', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    await house.ask('PATCH /accounts/east', { body: { api_key: 'sk-ant-canary-2' } })
    const [event] = await eventsOf('east')
    expect(event).toMatchObject({ action: 'account.update' })
    expect(JSON.stringify(event)).not.toContain('canary')
  })

  test('draining since the first time it was said, not the last', async () => {
    await house.ask('PATCH /accounts/default', { body: { draining: true } })
    const first = await house.ask('GET /accounts/default')
    await house.ask('PATCH /accounts/default', { body: { draining: true } })
    const second = await house.ask('GET /accounts/default')
    expect(second.body['draining_since']).toBe(first.body['draining_since'])
    await house.ask('PATCH /accounts/default', { body: { draining: false } })
    expect((await house.ask('GET /accounts/default')).body).toMatchObject({
      draining: false,
      draining_since: null,
      unused: null,
    })
  })

  test.each([
    ['weight', { weight: -1 }],
    ['min_concurrent', { min_concurrent: 51 }],
    ['min_concurrent', { max_concurrent: 1, min_concurrent: 2 }],
    ['draining', { draining: null }],
    ['id', { id: 'other' }],
    ['base_url', { base_url: 'https://evil.test' }],
    ['api_key', { api_key: 'sk-ant-x' }],
  ])('with a wrong %s is refused: %j', async (field, body) => {
    const answer = await house.ask('PATCH /accounts/default', { body })
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({ error: { message: expect.stringMatching(`^${field}\\b`) } })
  })
})

describe('deleting an account', () => {
  test('takes it away with its credential, and its id may be used again', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    await house.ask('POST /accounts/east/open')
    await house.ask('PATCH /accounts/east', { body: { draining: true } })
    const deleted = await house.ask('DELETE /accounts/east')
    expect([deleted.status, deleted.body]).toEqual([200, { id: 'east', deleted: true }])
    expect((await house.ask('GET /accounts/east')).status).toBe(404)
    expect((await house.ask('DELETE /accounts/east')).status).toBe(404)
    expect(house.db.prepare('SELECT * FROM accounts').all()).toEqual([])
    const again = await house.ask('POST /accounts', { body: ADDED })
    expect(again.status).toBe(201)
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({
      state: 'closed',
      draining: false,
    })
    expect(dataOf(await house.ask('GET /accounts/east/timeline'))).toEqual([])
  })

  test('drains it first where nobody did', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    expect((await house.ask('DELETE /accounts/east')).status).toBe(200)
    expect((await eventsOf('east')).map(({ action }) => action)).toEqual([
      'account.delete',
      'account.update',
      'account.create',
    ])
  })

  test('said twice at once deletes it once', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    const answers = await Promise.all([
      house.ask('DELETE /accounts/east'),
      house.ask('DELETE /accounts/east'),
    ])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404])
    expect((await eventsOf('east')).filter(({ action }) => action.endsWith('delete'))).toHaveLength(
      1,
    )
  })

  test('leaves it where someone takes the draining back meanwhile', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    await house.ask('PATCH /accounts/east', { body: { draining: true } })
    const deleting = house.ask('DELETE /accounts/east')
    await house.ask('PATCH /accounts/east', { body: { draining: false } })
    expect((await deleting).status).toBe(404)
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({ draining: false })
  })

  test('of the settings is refused, and says what to do instead', async () => {
    const answer = await house.ask('DELETE /accounts/default')
    expect(answer.status).toBe(400)
    expect(answer.body).toMatchObject({
      error: { message: expect.stringContaining('ANTHROPIC_ACCOUNTS') },
    })
  })

  test('is put off while isolates may trust an older list for long', async () => {
    house.close()
    house = openAdminHouse({ SLUICE_KEY_CACHE_MS: '600000' })
    await house.ask('POST /accounts', { body: ADDED })
    const answer = await house.ask('DELETE /accounts/east')
    expect([answer.status, answer.headers.get('sluice-reason')]).toEqual([409, 'account_in_use'])
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({ draining: true })
  })
})

describe('working a gate by hand', () => {
  test('is said in the timeline with its cause, and in the audit trail', async () => {
    for (const operation of ['open', 'close', 'reset']) {
      const answer = await house.ask(`POST /accounts/default/${operation}`)
      expect([answer.status, answer.body['state'], answer.body['unused']]).toEqual(
        operation === 'open'
          ? [200, 'open', { reason: 'open', until: null }]
          : [200, 'closed', null],
      )
    }
    const timeline = await house.ask('GET /accounts/default/timeline')
    expect(dataOf(timeline).map(({ to, cause }) => `${String(to)}: ${String(cause)}`)).toEqual([
      'closed: operator_reset',
      'closed: operator',
      'manual: operator',
    ])
    expect((await eventsOf('default')).map(({ action }) => action)).toEqual([
      'account.reset',
      'account.close',
      'account.open',
    ])
  })

  test('the timeline comes in pages', async () => {
    for (let i = 0; i < 3; i += 1) await house.ask('POST /accounts/default/reset')
    const first = await house.ask('GET /accounts/default/timeline?limit=2')
    expect(first.body['has_more']).toBe(true)
    const page = first.body['next_page']
    const rest = await house.ask(`GET /accounts/default/timeline?limit=2&page=${String(page)}`)
    expect([dataOf(first).length, dataOf(rest).length, rest.body['has_more']]).toEqual([
      2,
      1,
      false,
    ])
  })

  test('goes on while the database is down: that is when it is needed', async () => {
    await house.ask('GET /accounts')
    house.db.close()
    expect((await house.ask('POST /accounts/default/open')).body).toMatchObject({ state: 'open' })
    expect((await house.ask('GET /accounts/default')).body).toMatchObject({ hold: 'manual' })
    expect((await house.ask('PATCH /accounts/default', { body: { weight: 2 } })).status).toBe(503)
    expect(house.log).toContainEqual(expect.objectContaining({ event: 'audit_missed' }))
    house = openAdminHouse()
  })
})

describe('an account whose credential cannot be opened', () => {
  test('is shown with the reason, is not used, and may be given a new one or be deleted', async () => {
    await house.ask('POST /accounts', { body: ADDED })
    house.db.exec("UPDATE accounts SET base_url = 'https://evil.test'")
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({
      unused: { reason: 'credential_unusable' },
      problem: 'its credential, id or base_url was changed in the database',
    })
    await house.ask('PATCH /accounts/east', { body: { api_key: SECRET } })
    expect((await house.ask('GET /accounts/east')).body).toMatchObject({ unused: null })
    house.db.exec("UPDATE accounts SET sealed_key = 'zz'")
    expect((await house.ask('DELETE /accounts/east')).status).toBe(200)
  })
})

test.each(['GET', 'PATCH', 'DELETE'])(
  '%s of an account that is not there is a 404',
  async (method) => {
    expect((await house.ask(`${method} /accounts/nobody`)).status).toBe(404)
  },
)

test.each([
  'GET /accounts/nobody/timeline',
  'POST /accounts/nobody/open',
  'POST /accounts/nobody/x',
])('%s is a 404', async (route) => {
  expect((await house.ask(route)).status).toBe(404)
})

test('the list comes in pages, by id', async () => {
  for (const id of ['b', 'c', 'a']) await house.ask('POST /accounts', { body: { ...ADDED, id } })
  const first = await house.ask('GET /accounts?limit=3')
  const rest = await house.ask(`GET /accounts?limit=3&page=${String(first.body['next_page'])}`)
  expect([...dataOf(first), ...dataOf(rest)].map(({ id }) => id)).toEqual([
    'a',
    'b',
    'c',
    'default',
  ])
})
