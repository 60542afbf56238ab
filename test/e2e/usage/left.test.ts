// What a tenant has left of its limits: in its report, and in the headers of each answer in Claude's form.
import { describe, expect, it } from 'vitest'
import { claudeCall } from '../../support/claude-call.ts'
import { sharedGateway } from '../../support/gateway.ts'
import { type RawAnswer, send } from '../../support/raw-http.ts'
import { type Report, settledUsage } from './reading.ts'

const gateway = sharedGateway()

async function newTenant(tier: string, overrides: object): Promise<string> {
  const make = async (path: string, body: object) => {
    const answer = await send(gateway.url, {
      method: 'POST',
      path: `/admin/v1${path}`,
      headers: [
        ['authorization', `Bearer ${gateway.adminToken}`],
        ['content-type', 'application/json'],
      ],
      body: JSON.stringify(body),
    })
    expect(answer.status, answer.body.toString()).toBe(201)
    return JSON.parse(answer.body.toString()) as { id: string; key: string }
  }
  const { id } = await make('/tenants', { name: 'left', tier, overrides })
  return (await make(`/tenants/${id}/keys`, {})).key
}

describe('what a tenant has left', () => {
  const OVERRIDES = {
    max_concurrent: 4,
    input_tokens_per_minute: 50_000,
    output_tokens_per_minute: 10_000,
    budget_usd_per_day: 0.01,
    budget_usd_per_month: 1,
  }
  const PREFIX = 'anthropic-ratelimit-'
  const told = ({ headers }: RawAnswer): Record<string, string> =>
    Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith(PREFIX) ? [[name.slice(PREFIX.length), String(value)]] : [],
      ),
    )

  it('is told by the report, and by the headers of each answer in the form of Claude', async () => {
    const key = await newTenant('premium', OVERRIDES)
    const first = await send(gateway.url, claudeCall({ key, prompt: 'Hello '.repeat(200) }))
    const report = await settledUsage(gateway.url, key, 1)
    const [row] = report.data
    expect(report.limits).toMatchObject(OVERRIDES)
    expect(report.in_use).toEqual({
      concurrent: 0,
      input_tokens_per_minute: row?.input_tokens,
      output_tokens_per_minute: row?.output_tokens,
    })
    expect(report.left).toEqual({
      concurrent: 4,
      input_tokens_per_minute: 50_000 - (row?.input_tokens ?? 0),
      output_tokens_per_minute: 10_000 - (row?.output_tokens ?? 0),
      budget_usd_per_day: Math.round(1e7 - (row?.cost_usd ?? 0) * 1e9) / 1e9,
      budget_usd_per_month: Math.round(1e9 - (row?.cost_usd ?? 0) * 1e9) / 1e9,
    })
    expect(report.resets_at['budget_usd_per_day']).toMatch(/T00:00:00\.000Z$/)
    expect(report.resets_at['budget_usd_per_month']).toMatch(/-01T00:00:00\.000Z$/)

    const before = told(first)
    expect(before).toMatchObject({
      'requests-limit': '100',
      'input-tokens-limit': '50000',
      'output-tokens-limit': '10000',
      'tokens-limit': '60000',
      'unified-status': 'allowed',
      'unified-5h-utilization': '0',
      'unified-7d-utilization': '0',
    })
    for (const name of ['requests', 'input-tokens', 'output-tokens', 'tokens']) {
      expect(before[`${name}-reset`]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(Date.parse(before[`${name}-reset`] ?? '') - Date.now()).toBeLessThan(62_000)
    }
    const second = await send(gateway.url, claudeCall({ key, fields: { stream: true } }))
    const after = told(second)
    const used = Math.floor(((row?.cost_usd ?? 0) / 0.01) * 1e4) / 1e4
    expect(Number(after['unified-5h-utilization'])).toBeCloseTo(used, 3)
    expect(after['unified-5h-reset']).toBe(String(secondsOf(report, 'budget_usd_per_day')))
    expect(after['unified-7d-reset']).toBe(String(secondsOf(report, 'budget_usd_per_month')))
    // What is left, less what this call may use itself.
    const left = report.left['input_tokens_per_minute'] ?? 0
    expect(Number(after['input-tokens-remaining'])).toBeLessThan(left)
    expect(Number(after['input-tokens-remaining'])).toBeGreaterThan(left - 100)
    expect(Number(after['tokens-remaining'])).toBe(
      Number(after['input-tokens-remaining']) + Number(after['output-tokens-remaining']),
    )
  })

  const secondsOf = ({ resets_at: resets }: Report, name: string): number =>
    Date.parse(resets[name] ?? '') / 1000

  it.each([
    ['output tokens', { output_tokens_per_minute: 1 }, 429, { 'output-tokens-remaining': '0' }],
    ['input tokens', { input_tokens_per_minute: 1 }, 429, { 'input-tokens-remaining': '0' }],
    [
      'money',
      { budget_usd_per_day: 0.000_001 },
      402,
      { 'unified-status': 'rejected', 'unified-5h-utilization': '1' },
    ],
  ])('of %s is nothing in the headers of a refusal', async (_, overrides, status, headers) => {
    const key = await newTenant('enterprise', overrides)
    expect((await send(gateway.url, claudeCall({ key }))).status).toBe(200)
    await settledUsage(gateway.url, key, 1)
    const refused = await send(gateway.url, claudeCall({ key }))
    expect(refused.status).toBe(status)
    expect(told(refused)).toMatchObject(headers)
  })

  it('is not told to a page: a browser token sees request windows alone', async () => {
    const key = await newTenant('premium', OVERRIDES)
    const origin = 'https://app.example'
    const made = await send(gateway.url, {
      method: 'POST',
      path: '/v1/tokens',
      headers: [['x-api-key', key]],
      body: JSON.stringify({ ttl_seconds: 60, origin }),
    })
    const { token } = JSON.parse(made.body.toString()) as { token: string }
    const headers = [['origin', origin]] as const
    const answer = await send(gateway.url, claudeCall({ key: token, headers }))
    const names = ['requests-limit', 'requests-remaining', 'requests-reset']
    expect([answer.status, Object.keys(told(answer)).toSorted()]).toEqual([200, names])
    const report = await send(gateway.url, {
      path: '/v1/usage',
      headers: [['x-api-key', token], ...headers],
    })
    expect(JSON.parse(report.body.toString())).toMatchObject({
      in_use: null,
      left: null,
      resets_at: null,
    })
  })

  it('is not told where nothing is limited, nor anything of the account', async () => {
    const overrides = { requests_per_hour: null, max_concurrent: null }
    const key = await newTenant('enterprise', overrides)
    const answer = await send(gateway.url, claudeCall({ key }))
    expect([answer.status, told(answer)]).toEqual([200, {}])
  })
})
