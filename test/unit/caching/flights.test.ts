// Identical calls at once: one is made, for all who wait, whoever of them leaves, in one isolate and in several.
import { afterEach, describe, expect, test, vi } from 'vitest'
import { latch, overloaded, type Sent } from '../../support/house.ts'
import {
  answered,
  answerText,
  CACHED,
  type CacheWorld,
  openCacheWorld,
  streamedAnswer,
  textsOf,
} from '../../support/cache-house.ts'

let world: CacheWorld
afterEach(() => world.stop())

const open = async (isolates: number, options: Parameters<typeof openCacheWorld>[1]) => {
  world = await openCacheWorld(isolates, options)
  return world.houses
}
const isStreamed = ({ body }: Sent): boolean =>
  (JSON.parse(body) as { stream?: boolean }).stream === true
const statusOf = (answer: Response): string | null => answer.headers.get('cache-status')
const many = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at)

/** Reads as much as has come. */
async function firstOf(answer: Response): Promise<{ text: string; rest: () => Promise<string> }> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream() as never).getReader()
  const read = async () => (await reader.read()) as { value?: string; done: boolean }
  const { value = '' } = await read()
  return {
    text: value,
    rest: async () => {
      let text = ''
      for (;;) {
        const { value: more, done } = await read()
        if (done) return text
        text += more
      }
    },
  }
}

describe.each([
  [1, false],
  [1, true],
  [2, false],
  [2, true],
])('with %i isolates, streamed %s', (isolates, stream) => {
  test('a hundred at once make one call, and all are answered', async () => {
    const go = latch()
    const houses = await open(isolates, {
      answer: async (sent) => {
        await go.opened
        return isStreamed(sent) ? streamedAnswer() : answered()
      },
    })
    const asking = many(100).map((at) =>
      houses[at % isolates]!.ask({ stream }, { headers: CACHED }),
    )
    await vi.waitFor(() => expect(world.sent()).toBe(1))
    go.open()
    const answers = await Promise.all(asking)
    const texts = await Promise.all(answers.map((answer) => answer.text()))
    for (const text of texts)
      expect(stream ? textsOf(text) : text).toBe(stream ? 'Hello' : answerText())
    expect(world.sent()).toBe(1)
    const statuses = answers.map(statusOf)
    expect(statuses.filter((status) => status === 'sluice; fwd=miss')).toHaveLength(1)
    for (const status of new Set(statuses)) {
      expect(['sluice; fwd=miss', 'sluice; fwd=miss; collapsed', 'sluice; hit']).toContain(status)
    }
    expect(statuses).toContain('sluice; fwd=miss; collapsed')
  })

  test('the others are answered when the one that made the call leaves', async () => {
    const go = latch()
    const houses = await open(isolates, {
      answer: async (sent) => {
        await go.opened
        return isStreamed(sent) ? streamedAnswer() : answered()
      },
    })
    const gone = new AbortController()
    const leader = houses[0]!.ask({ stream }, { headers: CACHED, signal: gone.signal })
    leader.catch(() => {})
    await vi.waitFor(() => expect(world.sent()).toBe(1))
    const others = many(5).map(() => houses.at(-1)!.ask({ stream }, { headers: CACHED }))
    if (isolates > 1) await new Promise((resolve) => setTimeout(resolve, 300))
    else await new Promise((resolve) => setTimeout(resolve, 20))
    gone.abort()
    go.open()
    for (const answer of await Promise.all(others)) {
      expect(answer.status).toBe(200)
      const text = await answer.text()
      expect(stream ? textsOf(text) : text).toBe(stream ? 'Hello' : answerText())
    }
    expect(world.sent()).toBe(1)
  })

  test('a call that fails is made once more by one of those who waited, and then told to all', async () => {
    const go = latch()
    const houses = await open(isolates, {
      answer: async () => {
        await go.opened
        return overloaded()
      },
      settings: { SLUICE_RETRY_ATTEMPTS: 1 },
    })
    const asking = many(20).map((at) => houses[at % isolates]!.ask({ stream }, { headers: CACHED }))
    await vi.waitFor(() => expect(world.sent()).toBe(1))
    await new Promise((resolve) => setTimeout(resolve, 200))
    go.open()
    for (const answer of await Promise.all(asking)) {
      expect(answer.status).toBe(529)
      expect(answer.headers.get('sluice-reason')).toBe('upstream_overloaded')
      expect(await answer.text()).toContain('overloaded_error')
    }
    expect(world.sent()).toBeLessThanOrEqual(3)
  })
})

describe.each([1, 2])('a stream, with %i isolates', (isolates) => {
  test('reaches those who wait as it comes', async () => {
    const end = latch()
    const houses = await open(isolates, {
      answer: () => streamedAnswer(['Hel'], end.opened),
    })
    const leader = await firstOf(await houses[0]!.ask({ stream: true }, { headers: CACHED }))
    const answer = await houses.at(-1)!.ask({ stream: true }, { headers: CACHED })
    expect(statusOf(answer)).toBe('sluice; fwd=miss; collapsed')
    const follower = await firstOf(answer)
    expect(follower.text).toContain('message_start')
    end.open()
    const texts = [leader, follower].map(async ({ text, rest }) => text + (await rest()))
    const [one, other] = await Promise.all(texts)
    expect(other).toBe(one)
    expect(one).toContain('message_stop')
    expect(world.sent()).toBe(1)
  })

  test('and one that wants it whole gets it put together', async () => {
    const end = latch()
    const houses = await open(isolates, { answer: () => streamedAnswer(['Hel', 'lo'], end.opened) })
    const leader = await firstOf(await houses[0]!.ask({ stream: true }, { headers: CACHED }))
    const asking = houses.at(-1)!.ask({}, { headers: CACHED })
    setTimeout(() => end.open(), 50)
    await leader.rest()
    const answer = await asking
    expect(await answer.json()).toMatchObject({ content: [{ type: 'text', text: 'Hello' }] })
    expect(world.sent()).toBe(1)
  })
})

test('without the store, an isolate still makes one call for identical ones, and keeps nothing', async () => {
  const go = latch()
  const houses = await open(1, {
    answer: async () => {
      await go.opened
      return answered()
    },
    around: (store) => ({ ...store, look: () => Promise.reject(new Error('down')) }),
  })
  const asking = many(20).map(() => houses[0]!.ask({}, { headers: CACHED }))
  await vi.waitFor(() => expect(world.sent()).toBe(1))
  go.open()
  const statuses = (await Promise.all(asking)).map(statusOf)
  expect(new Set(statuses)).toEqual(
    new Set(['sluice; fwd=bypass', 'sluice; fwd=bypass; collapsed']),
  )
  expect(world.sent()).toBe(1)
  await houses[0]!.ask({}, { headers: CACHED })
  expect(world.sent()).toBe(2)
})

test('a call that nobody waits for any more is ended', async () => {
  const houses = await open(1, { answer: ({ signal }) => untilAborted(signal) })
  const callers = many(3).map(() => new AbortController())
  for (const { signal } of callers) houses[0]!.ask({}, { headers: CACHED, signal }).catch(() => {})
  await vi.waitFor(() => expect(world.sent()).toBe(1))
  const signal = houses[0]!.sent[0]!.signal
  callers[0]!.abort()
  callers[1]!.abort()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(signal.aborted).toBe(false)
  callers[2]!.abort()
  await vi.waitFor(() => expect(signal.aborted).toBe(true))
  await vi.waitFor(() => expect(houses[0]!.inUse('alpha')).toBe(0))
})

const untilAborted = (signal: AbortSignal): Promise<Response> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))))

test('those who wait for a call that hangs time out by themselves', async () => {
  const houses = await open(1, {
    answer: ({ signal }) => untilAborted(signal),
    settings: {
      SLUICE_CONNECT_TIMEOUT_MS: 5_000,
      SLUICE_FIRST_BYTE_TIMEOUT_MS: 300,
      SLUICE_RETRY_ATTEMPTS: 2,
    },
  })
  const startedAt = Date.now()
  const asking = many(4).map(() => houses[0]!.ask({}, { headers: CACHED }))
  const answers = await Promise.all(asking)
  expect(answers.map(({ status }) => status)).toEqual([504, 504, 504, 504])
  // The call itself was tried twice; the others did not wait for that.
  expect(Date.now() - startedAt).toBeLessThan(1_500)
  expect(world.sent()).toBeLessThanOrEqual(3)
})

test('a maker that dies without a word is followed by another', async () => {
  // Told to lead, it never does.
  const houses = await open(1, { answer: () => answered() })
  const hash = await hashOf(houses[0]!)
  await world.store.invalidate('*', null)
  await world.store.look({
    hash,
    now: Date.now(),
    marks: ['*'],
    accepts: null,
    near: null,
    token: 'dead',
  })
  const before = world.sent()
  const asking = houses[0]!.ask({}, { headers: CACHED })
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(world.sent()).toBe(before)
  // Its hold ends.
  const now = Date.now()
  vi.spyOn(Date, 'now').mockImplementation(() => now + 6_000)
  const answer = await asking
  vi.restoreAllMocks()
  expect(answer.status).toBe(200)
  expect(await answer.text()).toBe(answerText())
  expect(world.sent()).toBe(before + 1)
})

async function hashOf(house: CacheWorld['houses'][number]): Promise<string> {
  await (await house.ask({}, { headers: CACHED })).text()
  const hit = await house.ask({}, { headers: CACHED })
  return hit.headers.get('sluice-cache-key') ?? ''
}
