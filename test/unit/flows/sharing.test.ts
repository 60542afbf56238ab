// Accounts that share an organization, and tiers that go down to a cheaper model.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { SharedReading } from '../../../src/core/admission/admission.ts'
import { MODEL } from '../../support/claude-call.ts'
import {
  claudeError,
  type House,
  type HouseOptions,
  latch,
  message,
  openHouse,
} from '../../support/house.ts'

let house: House
afterEach(() => house.stop())

const open = async (options: HouseOptions): Promise<House> => {
  house = await openHouse(options)
  return house
}
const two = [{ id: 'alpha' }, { id: 'beta' }]
const statusOf = (answer: Response) => [answer.status, answer.headers.get('sluice-reason')]
const sentTo = () => house.sent.map(({ account }) => account)

describe('accounts of one organization', () => {
  const ids = { 'anthropic-organization-id': 'org', 'anthropic-workspace-id': 'ws' }

  it('hear of it once, and of each other only when one of them has nothing left', async () => {
    const observed: [string, SharedReading][] = []
    // Keys of two workspaces draw on one organization's limits all the same.
    let answer = (account: string) => message({ ...ids, 'anthropic-workspace-id': account })
    await open({
      accounts: [...two, { id: 'other' }],
      answer: ({ account }) =>
        account === 'other' ? message({ 'anthropic-organization-id': 'else' }) : answer(account),
      gates: (gates) => ({
        ...gates,
        observe: (account, reading) => {
          observed.push([account.id, reading])
          return gates.observe(account, reading)
        },
      }),
    })
    for (let n = 0; n < 30; n += 1) await (await house.ask()).text()
    await house.settled()
    expect(new Set(sentTo())).toEqual(new Set(['alpha', 'beta', 'other']))
    const introduced = { organization: 'org', rate: null, retryAfterMs: null }
    expect(observed).toHaveLength(2)
    const told = observed.map(([gate, { account }]) => [gate, account])
    expect(Object.fromEntries(told)).toEqual({ alpha: 'beta', beta: 'alpha' })
    for (const [, reading] of observed) expect(reading).toMatchObject(introduced)
    expect(house.logs.filter(({ event }) => event === 'accounts_share_organization')).toHaveLength(
      1,
    )

    observed.length = 0
    answer = () => claudeError(429, 'rate_limit_error', { ...ids, 'retry-after': '7' })
    await house.ask({}, { headers: { 'x-stainless-retry-count': '1' } })
    for (let n = 0; n < 10 && observed.length === 0; n += 1) {
      await house.ask({}, { headers: { 'x-stainless-retry-count': '1' } })
      await house.settled()
    }
    const throttled = sentTo().at(-1) ?? ''
    expect(observed[0]?.[0]).toBe(throttled === 'alpha' ? 'beta' : 'alpha')
    expect(observed[0]?.[1]).toMatchObject({ account: throttled, retryAfterMs: 7_000 })
  })

  it('hear of an empty bucket from an answer that was served', async () => {
    const observed: SharedReading[] = []
    const empty = {
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': new Date(Date.now() + 30_000).toISOString(),
    }
    let headers: Record<string, string> = ids
    await open({
      accounts: two,
      answer: () => message(headers),
      gates: (gates) => ({
        ...gates,
        observe: async (_, reading) => void observed.push(reading),
      }),
    })
    while (new Set(sentTo()).size < 2) await (await house.ask()).text()
    await house.settled()
    observed.length = 0
    headers = { ...ids, ...empty }
    await house.ask()
    await house.settled()
    expect(observed).toHaveLength(1)
    expect(observed[0]).toMatchObject({ rate: { requests: { limit: 50, remaining: 0 } } })
  })
})

describe('a tier that goes down to a cheaper model', () => {
  const tier = { onOverload: 'downgrade', downgradeTo: 'claude-haiku-4-5' } as const
  const accounts = [
    { id: 'large', max_concurrent: 1, models: ['claude-sonnet-*'] },
    { id: 'small', max_concurrent: 1, models: ['claude-haiku-*'] },
  ]
  const busy = async (options: Partial<HouseOptions> = {}) => {
    const held = latch()
    const answer = ({ body }: { body: string }) =>
      body.includes('"Slow"') ? held.opened.then(() => message()) : message()
    await open({ accounts, tier, answer, ...options })
    const slow = house.ask({ messages: [{ role: 'user', content: 'Slow' }] })
    await vi.waitFor(() => expect(house.sent).toHaveLength(1))
    return async () => {
      held.open()
      await slow
    }
  }

  it('does so while the asked one has no slot: every other byte stays, and the answer says so', async () => {
    const end = await busy()
    const fields = { metadata: { user_id: 'ü "model": "claude-sonnet-5-5"' } }
    const answer = await house.ask(fields)
    expect(statusOf(answer)).toEqual([200, 'downgraded'])
    expect(answer.headers.get('sluice-account')).toBe('small')
    const asked = JSON.stringify({
      model: MODEL,
      max_tokens: 64,
      messages: [{ role: 'user', content: 'Hi' }],
      ...fields,
    })
    expect(house.sent[1]?.body).toBe(asked.replace(`"${MODEL}"`, '"claude-haiku-4-5"'))
    const line = house.logs.find(({ account }) => account === 'small')
    expect(line).toMatchObject({ model: 'claude-haiku-4-5' })
    await end()
  })

  it('does not where the asked one answers', async () => {
    await open({ accounts, tier, answer: () => message() })
    const answer = await house.ask()
    expect(statusOf(answer)).toEqual([200, null])
    expect(sentTo()).toEqual(['large'])
  })

  it('waits as others do where the cheaper one is full as well', async () => {
    const end = await busy({
      settings: { SLUICE_QUEUE_WAIT_MS: 50 },
      accounts: [{ id: 'only', max_concurrent: 1 }],
    })
    expect(statusOf(await house.ask())).toEqual([503, 'queue_timeout'])
    await end()
  })

  it('leaves a call as it is that may not use it, or whose thread stands on its model', async () => {
    const settings = { SLUICE_QUEUE_WAIT_MS: 30 }
    const end = await busy({ settings, caller: { models: ['claude-sonnet-*'] } })
    expect(statusOf(await house.ask())).toEqual([503, 'queue_timeout'])
    await end()
    house.stop()
    const endThread = await busy({ settings })
    const thread = await house.ask({ thread: { type: 'create' } })
    expect(thread.status).toBe(400)
    expect(sentTo()).toEqual(['large'])
    await endThread()
  })
})
