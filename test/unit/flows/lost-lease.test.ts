// A gate that cannot be reached while calls run: none of them goes on beyond its lease, so the account never has more than
// its limit, whatever the gate gives to others meanwhile.
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type House,
  type HouseOptions,
  latch,
  message,
  openHouse,
  stream,
} from '../../support/house.ts'

const TTL_MS = 900

let house: House
let isUp = true
afterEach(() => {
  isUp = true
  house.stop()
})

/** Upstream's own count of calls in flight, as the signals of their connections tell it. */
let inFlight = 0
let mostInFlight = 0

async function open(options: Partial<HouseOptions> & Pick<HouseOptions, 'answer'>): Promise<void> {
  inFlight = 0
  mostInFlight = 0
  house = await openHouse({
    accounts: [{ id: 'alpha', max_concurrent: 1 }],
    gates: (gates) => ({
      ...gates,
      renew: (...given) => (isUp ? gates.renew(...given) : Promise.resolve({ kind: 'unknown' })),
    }),
    ...options,
    settings: { SLUICE_LEASE_TTL_MS: TTL_MS, SLUICE_RETRY_ATTEMPTS: 2, ...options.settings },
    answer: (sent) => {
      inFlight += 1
      mostInFlight = Math.max(mostInFlight, inFlight)
      sent.signal.addEventListener('abort', () => (inFlight -= 1))
      return options.answer(sent)
    },
  })
}

describe('while renewals go unanswered', () => {
  it('a stream ends with an error event before its slot is given away', async () => {
    const never = latch()
    await open({
      answer: () => (house.sent.length === 1 ? stream(never.opened) : stream()),
    })
    isUp = false
    const first = await house.ask({ stream: true })
    const second = house.ask({ stream: true })
    const text = await first.text()
    expect(text).toMatch(/event: error\ndata: .*overloaded_error.*slot of this call is over/)
    expect((await second).status).toBe(200)
    expect(house.sent).toHaveLength(2)
    expect(mostInFlight).toBe(1)
    const ended = house.logs.find(({ event }) => event === 'attempt')
    // It says nothing against the account, and what was produced is billed.
    expect(ended).toMatchObject({ outcome: 'ignored', input_tokens: 3 })
    await (await second).text()
  })

  it('a call that is not answered yet goes to another account', async () => {
    await open({
      accounts: [{ id: 'alpha' }, { id: 'spare', backup: true }],
      answer: ({ account }) => (account === 'spare' ? message() : new Promise(() => {})),
    })
    isUp = false
    const answer = await house.ask()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('sluice-account')).toBe('spare')
  })

  it('and there is no other, it is told so', async () => {
    await open({ answer: () => new Promise(() => {}) })
    isUp = false
    const answer = await house.ask()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('sluice-reason')).toBe('gate_unavailable')
    expect(answer.headers.get('x-should-retry')).toBe('true')
  })
})

it('a stream lives on for many lease times while its gate answers', async () => {
  const end = latch()
  await open({ answer: () => stream(end.opened) })
  const answer = await house.ask({ stream: true })
  setTimeout(() => end.open(), 3 * TTL_MS)
  expect(await answer.text()).toContain('message_stop')
  await vi.waitFor(() => expect(house.inUse('alpha')).toBe(0))
})
