// What is one tenant's does not exist for another: every route that bears an id, with a good key of somebody else.
import { beforeAll, expect, it } from 'vitest'
import { claudeCall, errorOf } from '../../support/claude-call.ts'
import { sharedGateway } from '../../support/gateway.ts'
import { journalAt, newTag } from '../../support/gateway-simulator.ts'
import { OWNED_ROUTES, type OwnedRoute } from '../../support/owned-routes.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'

const gateway = sharedGateway()
const journal = journalAt(gateway.simulatorUrl)
const OWNER = gateway.keys.enterprise
const STRANGER = gateway.keys.premium
const NOBODYS = {
  session: `ses_${'0'.repeat(24)}`,
  job: `job_${'0'.repeat(24)}`,
  batch: `msgbatch_${'0'.repeat(24)}`,
  file: `file_${'0'.repeat(24)}`,
}
const ids = { ...NOBODYS }

const ask = (key: string, route: string, id: string, body?: object): Promise<RawAnswer> => {
  const [method = '', path = ''] = route.split(' ')
  return send(gateway.url, {
    method,
    path: path.replace(':id', id),
    headers: [
      ['x-api-key', key],
      ['content-type', 'application/json'],
      ['anthropic-version', '2023-06-01'],
    ],
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const asJson = ({ body }: RawAnswer) => JSON.parse(body.toString()) as Record<string, unknown>

const chat = (key: string, options: { session?: string; tag?: string } = {}): Promise<RawAnswer> =>
  send(
    gateway.url,
    claudeCall({
      key,
      path: '/v1/chat',
      ...(options.tag === undefined ? {} : { tag: options.tag }),
      body: JSON.stringify({ message: 'Hello', max_tokens: 20, session_id: options.session }),
    }),
  )

const request = {
  model: 'claude-haiku-5-5',
  max_tokens: 9,
  messages: [{ role: 'user', content: 'a' }],
}

beforeAll(async () => {
  ids.session = String((await chat(OWNER)).headers['sluice-session'])
  const job = await ask(OWNER, 'POST /v1/jobs', '', { request })
  expect(job.status, job.body.toString()).toBe(202)
  ids.job = String(asJson(job)['id'])
  const requests = [{ custom_id: 'a', params: request }]
  const batch = await ask(OWNER, 'POST /v1/messages/batches', '', { requests })
  expect(batch.status, batch.body.toString()).toBe(200)
  ids.batch = String(asJson(batch)['id'])
  const form = new FormData()
  form.set('file', new Blob(['Hello'], { type: 'text/plain' }), 'hello.txt')
  const headers = {
    'x-api-key': OWNER,
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'files-api-2025-04-14',
  }
  const file = await fetch(`${gateway.url}/v1/files`, { method: 'POST', headers, body: form })
  const made = (await file.json()) as { id: string }
  expect(file.status, JSON.stringify(made)).toBe(200)
  ids.file = made.id
})

const SHOW: Readonly<Record<OwnedRoute['owned'], string>> = {
  session: 'GET /v1/sessions/:id',
  job: 'GET /v1/jobs/:id',
  batch: 'GET /v1/messages/batches/:id',
  file: 'GET /v1/files/:id',
}

it.each(OWNED_ROUTES)("$route of another tenant's is 404, like what nobody has", async (route) => {
  const { owned, body } = route
  const theirs = await ask(STRANGER, route.route, ids[owned], body)
  const nobodys = await ask(STRANGER, route.route, NOBODYS[owned], body)
  expect([theirs.status, nobodys.status]).toEqual([404, 404])
  expect(theirs.headers['sluice-reason']).toBe('not_found')
  const blank = (answer: RawAnswer, id: string) =>
    JSON.stringify(errorOf(answer).error).replaceAll(id, 'ID')
  expect(blank(theirs, ids[owned])).toBe(blank(nobodys, NOBODYS[owned]))
})

it('nothing of it was done: the owner has all of it as it was', async () => {
  const tag = newTag()
  expect((await chat(STRANGER, { session: ids.session, tag })).status).toBe(404)
  expect(await journal.list({ tag })).toEqual([])
  const session = await ask(OWNER, SHOW.session, ids.session)
  expect(asJson(session)).toMatchObject({ id: ids.session, turns: 1 })
  const job = await ask(OWNER, SHOW.job, ids.job)
  expect(job.status).toBe(200)
  expect(asJson(job)['status']).not.toBe('canceled')
  const batch = await ask(OWNER, SHOW.batch, ids.batch)
  expect(asJson(batch)).toMatchObject({ id: ids.batch, cancel_initiated_at: null })
  expect((await ask(OWNER, SHOW.file, ids.file)).status).toBe(200)
  for (const path of ['/v1/sessions', '/v1/jobs', '/v1/messages/batches', '/v1/files']) {
    const list = await ask(STRANGER, `GET ${path}`, '')
    expect(list.status).toBe(200)
    for (const id of Object.values(ids)) expect(list.body.toString()).not.toContain(id)
  }
})
