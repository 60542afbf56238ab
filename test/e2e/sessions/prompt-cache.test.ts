// Claude is asked to keep a prefix: in sessions unless the tenant says no, in what a caller sends by itself only where
// the tenant says yes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accountList } from '../../support/accounts.ts'
import { claudeCall } from '../../support/claude-call.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { addTenant, type TenantOptions } from '../../support/tenants.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    settings: { ANTHROPIC_ACCOUNTS: accountList({ id: 'one' }, { id: 'two' }) },
  })
})
afterAll(() => gateway.stop())

const LONG = 'The house rules, told at length. '.repeat(400)
const MARKER = ',"cache_control":{"type":"ephemeral"}'

const keyOf = async (settings: TenantOptions['settings']): Promise<string> =>
  (await addTenant(gateway.dir, { settings: settings ?? {} })).key

const sentBy = (tag: string): string[] =>
  gateway.simulator.journal.list({ tag }).map(({ body }) => String(body))

interface Usage {
  readonly input_tokens: number
  readonly cache_creation_input_tokens: number
  readonly cache_read_input_tokens: number
}
const usageOf = ({ body }: RawAnswer): Usage =>
  (JSON.parse(body.toString()) as { usage: Usage }).usage

const body = `{ "model":"claude-sonnet-5-5", "max_tokens":20,
  "messages":[{"role":"user","content":"${LONG}"}]  }\n`

describe('a plain message', () => {
  it.each([
    ['has never been told', undefined],
    ['says no', { auto_prompt_cache: false }],
  ])('of a tenant that %s goes byte for byte', async (what, settings) => {
    const key = await keyOf(settings)
    expect((await send(gateway.url, claudeCall({ key, body, tag: what }))).status).toBe(200)
    expect(sentBy(what)).toEqual([body])
  })

  it('of a tenant that says yes has one field more, and is read back the next time', async () => {
    const key = await keyOf({ auto_prompt_cache: true })
    const ask = () => send(gateway.url, claudeCall({ key, body, tag: 'yes' }))
    const [first, second] = [await ask(), await ask()]
    const marked = body.replace('  }\n', `  ${MARKER}}\n`)
    expect(sentBy('yes')).toEqual([marked, marked])
    expect(usageOf(first).cache_creation_input_tokens).toBeGreaterThan(3_000)
    expect(usageOf(second).cache_read_input_tokens).toBe(usageOf(first).cache_creation_input_tokens)
    const counted = claudeCall({ key, body, tag: 'count', path: '/v1/messages/count_tokens' })
    await send(gateway.url, counted)
    expect(sentBy('count')).toEqual([body])
  })
})

describe('a session', () => {
  const say = async (key: string, tag: string, session?: string): Promise<RawAnswer> => {
    const fields = { message: `${tag} ${LONG}`, model: 'claude-sonnet-5-5', max_tokens: 20 }
    const more = session === undefined ? {} : { session_id: session }
    return send(
      gateway.url,
      claudeCall({ key, tag, path: '/v1/chat', body: JSON.stringify({ ...fields, ...more }) }),
    )
  }

  it('reads all of its history from the cache and pays for what is new', async () => {
    const key = await keyOf(undefined)
    const first = await say(key, 'keeps')
    const second = await say(key, 'keeps', String(first.headers['sluice-session']))
    expect(sentBy('keeps').every((sent) => sent.endsWith(`${MARKER}}`))).toBe(true)
    const written = usageOf(first).cache_creation_input_tokens
    expect(written).toBeGreaterThan(3_000)
    expect(usageOf(second).cache_read_input_tokens).toBe(written)
    expect(usageOf(second).input_tokens).toBe(0)
  })

  it('of a tenant that says no is sent without', async () => {
    await say(await keyOf({ auto_prompt_cache: false }), 'off')
    expect(sentBy('off').join('')).not.toContain('cache_control')
  })

  it('stays with the account that served it last, which has its prefix, and not with the one before', async () => {
    const key = await keyOf(undefined)
    const operate = (account: string, what: 'open' | 'close') =>
      send(gateway.url, {
        method: 'POST',
        path: `/admin/v1/accounts/${account}/${what}`,
        headers: [['authorization', `Bearer ${gateway.adminToken}`]],
      })
    const first = await say(key, 'moves')
    const session = String(first.headers['sluice-session'])
    const former = String(first.headers['sluice-account'])
    await operate(former, 'open')
    const second = await say(key, 'moves', session)
    await operate(former, 'close')
    const third = await say(key, 'moves', session)
    expect(second.headers['sluice-account']).not.toBe(former)
    expect(third.headers['sluice-account']).toBe(second.headers['sluice-account'])
    expect(usageOf(third).cache_read_input_tokens).toBe(usageOf(second).cache_creation_input_tokens)
  })
})

describe('many calls at once with one new prefix that their caller marked', () => {
  it('pay for writing it once', async () => {
    const key = await keyOf(undefined)
    const marked = { type: 'text', text: `At once. ${LONG}`, cache_control: { type: 'ephemeral' } }
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        send(
          gateway.url,
          claudeCall({ key, prompt: `${at}?`, fields: { system: [marked] }, fault: 'slow=300' }),
        ),
      ),
    )
    const writers = answers.filter((answer) => usageOf(answer).cache_creation_input_tokens > 0)
    expect(writers).toHaveLength(1)
    expect(answers.filter((answer) => usageOf(answer).cache_read_input_tokens > 0)).toHaveLength(19)
    // Whoever came after the first byte had nothing to wait for.
    const waited = answers.filter(({ headers }) => Number(headers['sluice-queued-ms']) > 0)
    expect(waited.length).toBeGreaterThanOrEqual(10)
    expect(waited).not.toContain(writers[0])
  })
})

describe('a tenant whose prefixes are never read back', () => {
  it('is switched off by itself, for that model, and told', async () => {
    const key = await keyOf({ auto_prompt_cache: true })
    const sent = async (at: number, model = 'claude-sonnet-5-5'): Promise<string> => {
      const tag = `once ${at} ${model}`
      await send(gateway.url, claudeCall({ key, tag, prompt: `${at} ${LONG}`, fields: { model } }))
      return sentBy(tag).join('')
    }
    for (let at = 0; at < 40; at += 1) expect(await sent(at)).toContain('cache_control')
    // An answer may come before its bill is counted.
    const stops = await eventually(
      () => sent(Math.random()),
      (body) => !body.includes('cache_control'),
      { withinMs: 10_000, everyMs: 1 },
    )
    expect(stops).not.toContain('cache_control')
    expect(await sent(1, 'claude-opus-5-5')).toContain('cache_control')
    const usage = await send(gateway.url, {
      method: 'GET',
      path: '/v1/usage',
      headers: [['x-api-key', key]],
    })
    const { prompt_cache: told, data } = JSON.parse(usage.body.toString()) as {
      prompt_cache: { model: string; state: string; off_until: string | null }[]
      data: { model: string; saved_usd: number }[]
    }
    expect(told).toContainEqual({
      model: 'claude-sonnet-5-5',
      state: 'off',
      off_until: expect.stringMatching(/^\d{4}-/) as string,
    })
    // What the writes cost beyond plain input.
    expect(data.find(({ model }) => model === 'claude-sonnet-5-5')?.saved_usd).toBeLessThan(0)
  })
})
