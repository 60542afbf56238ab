// The three buckets of an organization and a model class, over HTTP and in process.
import { describe, expect, it } from 'vitest'
import { RateLimits } from '../../../tools/simulator/rate-limits.ts'
import { ask, headers, post, simulatorForFile } from './support.ts'

const running = await simulatorForFile()

function limitsAt(clock: { now: number }, base: Record<string, number>) {
  return new RateLimits(() => clock.now, base)
}

describe('rate limits', () => {
  it('refuse all or nothing: a refused request takes nothing from any bucket', () => {
    const clock = { now: 0 }
    const limits = limitsAt(clock, { requests_per_minute: 10, input_tokens_per_minute: 100 })
    limits.admit('a', 'sonnet-5', 90)
    expect(() => limits.admit('a', 'sonnet-5', 20)).toThrow(/input tokens per minute/)
    expect(limits.admit('a', 'sonnet-5', 10).requests.remaining).toBe(8)
  })

  it('give again what a wait of retry-after brings', () => {
    const clock = { now: 0 }
    const limits = limitsAt(clock, { requests_per_minute: 6 })
    for (let i = 0; i < 6; i++) limits.admit('a', 'sonnet-5', 1)
    let wait = 0
    try {
      limits.admit('a', 'sonnet-5', 1)
    } catch (error) {
      wait = Number((error as { headers: Record<string, string> }).headers['retry-after'])
    }
    expect(wait).toBe(10)
    clock.now += wait * 1_000
    expect(limits.admit('a', 'sonnet-5', 1).requests.remaining).toBe(0)
  })

  it('are apart for organizations and for model classes', () => {
    const limits = limitsAt({ now: 0 }, { requests_per_minute: 1 })
    limits.admit('a', 'sonnet-5', 1)
    limits.admit('a', 'opus-5', 1)
    limits.admit('b', 'sonnet-5', 1)
    expect(() => limits.admit('a', 'sonnet-5', 1)).toThrow(/rate limit/)
  })

  it('take output as it is produced, and refuse while the bucket is below one', () => {
    const limits = limitsAt({ now: 0 }, { output_tokens_per_minute: 100 })
    const admission = limits.admit('a', 'sonnet-5', 1)
    expect(admission.view().output.remaining).toBe(100)
    admission.produce(250)
    expect(admission.view().output.remaining).toBe(0)
    expect(() => limits.admit('a', 'sonnet-5', 1)).toThrow(/output tokens/)
  })

  it('answer 429 with retry-after and the headers of the empty bucket', async () => {
    running.sim.limits.configure('test', '*', { requests_per_minute: 1 })
    expect((await post(running, ask('one'))).status).toBe(200)
    const refused = await post(running, ask('two'))
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(refused.headers.get('anthropic-ratelimit-requests-remaining')).toBe('0')
    expect(await refused.json()).toMatchObject({
      type: 'error',
      error: { type: 'rate_limit_error' },
    })
  })

  it('show every dimension on an answer, and a retry-after that means nothing', async () => {
    const answer = await post(running, ask('hello'))
    const names = [...answer.headers.keys()].filter((name) =>
      name.startsWith('anthropic-ratelimit'),
    )
    expect(names).toHaveLength(12)
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(answer.headers.get('anthropic-ratelimit-tokens-reset')).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    )
    for (const name of ['set-cookie', 'server', 'via', 'cf-ray', 'request-id']) {
      expect(answer.headers.has(name), name).toBe(true)
    }
  })

  it('cap the calls in flight of one organization and count them', async () => {
    running.sim.limits.configure('test', '*', { max_concurrent: 1 })
    const held = post(running, ask('hold'), { headers: { 'anthropic-sim-fault': 'hang=400' } })
    await running.journal.wait({ state: 'arrived' })
    const refused = await post(running, ask('more'))
    expect(refused.status).toBe(429)
    expect((await held).status).toBe(200)
    const gauge = (await (await fetch(`${running.url}/__sim/gauge`)).json()) as {
      orgs: Record<string, unknown>
    }
    expect(gauge.orgs['test']).toEqual({ in_flight: 0, max_in_flight: 2 })
  })

  it('give one organization the same ids, another others', async () => {
    const idsOf = async (key: string) => {
      const answer = await fetch(`${running.url}/v1/models`, {
        headers: headers({ 'x-api-key': key }),
      })
      return ['organization', 'workspace'].map((kind) => answer.headers.get(`anthropic-${kind}-id`))
    }
    const [orgA, workspaceA] = await idsOf('sk-ant-sim-acme-prod')
    const [orgB, workspaceB] = await idsOf('sk-ant-sim-acme-dev')
    const [orgC] = await idsOf('sk-ant-sim-other')
    expect(orgA).toBe(orgB)
    expect(workspaceA).not.toBe(workspaceB)
    expect(orgC).not.toBe(orgA)
  })
})
