// How the flows use several accounts: whom they ask, where a call waits, what follows a failure.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AdmissionAsk } from '../../../src/core/admission/admission.ts'
import type { AccountGates } from '../../../src/ports.ts'
import {
  claudeError,
  type House,
  type HouseOptions,
  latch,
  message,
  openHouse,
  overloaded,
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

/** How many wait at each account. */
const queues = () => house.accounts.map((each) => house.gates.gateOf(each).queue.byTicket.size)

/** Notes what the gates are asked. */
const listening =
  (asks: [string, AdmissionAsk][]) =>
  (gates: AccountGates): AccountGates => ({
    ...gates,
    admit: (account, ask) => {
      asks.push([account.id, ask])
      return gates.admit(account, ask)
    },
  })

describe('choosing', () => {
  it('spreads calls that run at once over the accounts', async () => {
    const held = latch()
    await open({ accounts: two, answer: () => held.opened.then(() => message()) })
    const answers = Array.from({ length: 10 }, () => house.ask())
    await vi.waitFor(() => expect(house.sent).toHaveLength(10))
    expect([house.inUse('alpha'), house.inUse('beta')]).toEqual([5, 5])
    held.open()
    await Promise.all(answers)
    await house.settled()
    expect([house.inUse('alpha'), house.inUse('beta')]).toEqual([0, 0])
  })

  it('sends a session, and calls that share a long prompt, to one account', async () => {
    await open({ accounts: [...two, { id: 'gamma' }], answer: () => message() })
    for (let n = 0; n < 6; n += 1) {
      await (await house.ask({}, { headers: { 'x-claude-code-session-id': 's' } })).text()
    }
    expect(new Set(sentTo()).size).toBe(1)
    house.sent.length = 0
    const system = 'Be careful. '.repeat(300)
    for (let n = 0; n < 6; n += 1) {
      const messages = [{ role: 'user', content: `Question ${n}` }]
      await (await house.ask({ system, messages })).text()
    }
    expect(new Set(sentTo()).size).toBe(1)
  })

  it('asks the backup only when the others refuse', async () => {
    const held = latch()
    const accounts = [
      { id: 'alpha', max_concurrent: 1 },
      { id: 'spare', backup: true },
    ]
    await open({ accounts, answer: () => held.opened.then(() => message()) })
    const first = house.ask()
    await vi.waitFor(() => expect(sentTo()).toEqual(['alpha']))
    const second = house.ask()
    await vi.waitFor(() => expect(sentTo()).toEqual(['alpha', 'spare']))
    held.open()
    await Promise.all([first, second])
  })

  it('asks an account last that it knows to be shut, and one gate only', async () => {
    const asks: [string, AdmissionAsk][] = []
    await open({ accounts: two, answer: () => message(), gates: listening(asks) })
    const [alpha] = house.accounts
    if (alpha === undefined) throw new Error('There is no account')
    await house.gates.operate(alpha, 'open')
    for (let n = 0; n < 20; n += 1) await (await house.ask()).text()
    expect(new Set(sentTo())).toEqual(new Set(['beta']))
    expect(asks.filter(([id]) => id === 'alpha')).toHaveLength(1)
  })

  it('says when no other account could take the call', async () => {
    const asks: [string, AdmissionAsk][] = []
    await open({ accounts: two, answer: () => message(), gates: listening(asks) })
    for (const account of house.accounts) await house.gates.operate(account, 'open')
    expect(statusOf(await house.ask())).toEqual([503, 'accounts_open'])
    expect(asks.map(([, { lastResort }]) => lastResort)).toEqual([false, true])
    expect(statusOf(await house.ask())).toEqual([503, 'accounts_open'])
    expect(asks.map(([, { lastResort }]) => lastResort)).toEqual([false, true, true, true])
  })
})

describe('a draining account', () => {
  const drain = (id: string) => {
    house.accounts = house.accounts.map((each) => ({ ...each, draining: each.id === id }))
  }

  it('finishes its calls and takes nothing new, sessions that prefer it included', async () => {
    const held = latch()
    await open({ accounts: two, answer: () => held.opened.then(() => message()) })
    const headers = { 'x-claude-code-session-id': 's' }
    const running = house.ask({}, { headers })
    await vi.waitFor(() => expect(house.sent).toHaveLength(1))
    const [preferred = ''] = sentTo()
    drain(preferred)
    const next = house.ask({}, { headers })
    await vi.waitFor(() => expect(house.sent).toHaveLength(2))
    expect(sentTo()[1]).not.toBe(preferred)
    held.open()
    expect((await running).status).toBe(200)
    expect((await next).status).toBe(200)
  })

  it('is told as such when there is no other', async () => {
    await open({ answer: () => message() })
    drain('alpha')
    const answer = await house.ask()
    expect(statusOf(answer)).toEqual([503, 'draining'])
    expect(answer.headers.get('x-should-retry')).toBe('true')
    expect(house.sent).toEqual([])
  })
})

describe('waiting', () => {
  const full = [
    { id: 'alpha', max_concurrent: 1 },
    { id: 'beta', max_concurrent: 1 },
  ]

  it.each(['alpha', 'beta'])(
    'ends at %s if it has a slot first, and one lease is kept',
    async (id) => {
      const doors = { alpha: latch(), beta: latch() }
      await open({
        accounts: full,
        answer: ({ account }) => doors[account as keyof typeof doors].opened.then(() => message()),
      })
      const running = [house.ask(), house.ask()]
      await vi.waitFor(() => expect(house.sent).toHaveLength(2))
      const waiting = house.ask()
      const queues = () =>
        house.accounts.map((each) => house.gates.gateOf(each).queue.byTicket.size)
      await vi.waitFor(() => expect(queues()).toEqual([1, 1]))
      doors[id as keyof typeof doors].open()
      const answer = await waiting
      expect(answer.headers.get('sluice-account')).toBe(id)
      expect(Number(answer.headers.get('sluice-queued-ms'))).toBeGreaterThanOrEqual(0)
      await vi.waitFor(() => expect(queues()).toEqual([0, 0]))
      for (const door of Object.values(doors)) door.open()
      await Promise.all(running)
      await house.settled()
      expect([house.inUse('alpha'), house.inUse('beta')]).toEqual([0, 0])
    },
  )

  it('ends once, though both accounts have a slot at the same moment', async () => {
    const held = latch()
    await open({ accounts: full, answer: () => held.opened.then(() => message()) })
    const running = [house.ask(), house.ask()]
    await vi.waitFor(() => expect(house.sent).toHaveLength(2))
    const waiting = [house.ask(), house.ask(), house.ask()]
    await vi.waitFor(() => expect(queues()).toEqual([3, 3]))
    held.open()
    const answers = await Promise.all([...running, ...waiting])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    await house.settled()
    expect(house.sent).toHaveLength(5)
    expect([house.inUse('alpha'), house.inUse('beta')]).toEqual([0, 0])
  })

  it('leaves every queue when its caller leaves', async () => {
    const held = latch()
    await open({ accounts: full, answer: () => held.opened.then(() => message()) })
    const running = [house.ask(), house.ask()]
    await vi.waitFor(() => expect(house.sent).toHaveLength(2))
    const caller = new AbortController()
    const gone = house.ask({}, { signal: caller.signal })
    await vi.waitFor(() => expect(queues()).toEqual([1, 1]))
    caller.abort()
    await gone
    await vi.waitFor(() => expect(queues()).toEqual([0, 0]))
    held.open()
    await Promise.all(running)
    await house.settled()
    expect(house.sent).toHaveLength(2)
    expect([house.inUse('alpha'), house.inUse('beta')]).toEqual([0, 0])
  })

  it('says in which lane and how long it waited in vain', async () => {
    const held = latch()
    const settings = { SLUICE_QUEUE_WAIT_MS: 60 }
    await open({ accounts: full, settings, answer: () => held.opened.then(() => message()) })
    const running = [house.ask(), house.ask()]
    await vi.waitFor(() => expect(house.sent).toHaveLength(2))
    const answer = await house.ask()
    expect(statusOf(answer)).toEqual([503, 'queue_timeout'])
    const queuedMs = Number(answer.headers.get('sluice-queued-ms'))
    expect(queuedMs).toBeGreaterThanOrEqual(55)
    // In two queues at once, but it was one wait.
    expect(queuedMs).toBeLessThan(110)
    expect(await answer.text()).toMatch(/waited \d+ ms in lane normal/)
    held.open()
    await Promise.all(running)
  })
})

describe('after a failure', () => {
  it('the accounts that were not tried come first, and each lease comes home', async () => {
    const accounts = [...two, { id: 'gamma' }]
    const settings = { SLUICE_RETRY_ATTEMPTS: 5, SLUICE_RETRY_BUDGET_RATIO: 1 }
    await open({ accounts, settings, answer: overloaded })
    const answer = await house.ask()
    expect(statusOf(answer)).toEqual([529, 'upstream_overloaded'])
    expect(answer.headers.get('sluice-attempts')).toBe('5')
    expect(new Set(sentTo().slice(0, 3)).size).toBe(3)
    // Then the one that failed first.
    expect(sentTo()[3]).toBe(sentTo()[0])
    await house.settled()
    expect(accounts.map(({ id }) => house.inUse(id))).toEqual([0, 0, 0])
  })

  it('a client that retries by itself gets the first answer', async () => {
    await open({ accounts: two, answer: overloaded })
    const answer = await house.ask({}, { headers: { 'x-stainless-retry-count': '1' } })
    expect(answer.headers.get('sluice-attempts')).toBe('1')
    expect(house.sent).toHaveLength(1)
  })

  it("Claude's `retry-after` is waited for where it is in bounds, and nobody is asked where not", async () => {
    let count = 0
    await open({
      answer: () => {
        count += 1
        return count === 1
          ? claudeError(529, 'overloaded_error', { 'retry-after': '0.2' })
          : message()
      },
    })
    const startedAt = performance.now()
    expect((await house.ask()).status).toBe(200)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190)
    count = -10
    await house.settled()
    house.stop()
    await open({
      answer: () => claudeError(529, 'overloaded_error', { 'retry-after': '31' }),
    })
    const answer = await house.ask()
    expect(answer.status).toBe(529)
    expect(house.sent).toHaveLength(1)
  })

  it("a spent retry budget is not what the caller hears, but Claude's own last word", async () => {
    const settings = {
      SLUICE_RETRY_BUDGET_RATIO: 0,
      SLUICE_BREAKER_CONSECUTIVE: 1_000,
      SLUICE_BREAKER_MIN_CALLS: 1_000,
    }
    const asks: [string, AdmissionAsk][] = []
    await open({ settings, answer: overloaded, gates: listening(asks) })
    const answers: Response[] = []
    for (let n = 0; n < 40; n += 1) answers.push(await house.ask())
    expect(answers.every(({ status }) => status === 529)).toBe(true)
    for (const answer of answers) {
      expect(await answer.json()).toMatchObject({
        error: { message: 'Claude says overloaded_error' },
      })
      expect(answer.headers.get('x-should-retry')).toBe('false')
    }
    // Nothing is earned: once the reserve is spent, a caller's call is one call.
    expect(answers.slice(-10).map(({ headers }) => headers.get('sluice-attempts'))).toEqual(
      Array.from({ length: 10 }, () => '1'),
    )
    expect(house.sent.length).toBeLessThan(40 * 1.5)
    // And its gate is not asked again and again.
    expect(asks.slice(-10).filter(([, { attempt }]) => attempt !== 1).length).toBeLessThan(3)
  })

  it('`server-timing` counts every attempt', async () => {
    let count = 0
    await open({
      accounts: two,
      answer: async () => {
        await new Promise((resolve) => setTimeout(resolve, 40))
        count += 1
        return count < 2 ? overloaded() : message()
      },
    })
    const answer = await house.ask()
    const upstream = /upstream;dur=(\d+)/.exec(answer.headers.get('server-timing') ?? '')?.[1]
    expect(Number(upstream)).toBeGreaterThanOrEqual(75)
  })
})
