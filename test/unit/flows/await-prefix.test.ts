// Calls with one new prefix at once: one writes it to Claude's cache, the others wait for its first byte, and for
// nothing longer than that.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { scanMessageRequest } from '../../../src/core/answering/message-request.ts'
import type { Call } from '../../../src/flows/call.ts'
import { callerWith } from '../../support/callers.ts'
import {
  claudeError,
  flowWorld,
  type FlowWorldOptions,
  hangs,
  served,
} from '../../support/flow-world.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000 }))
afterEach(() => vi.useRealTimers())

const FIRST_BYTE_MS = 800
const LONG = 'A rule of the house, told at length. '.repeat(200)
const marker = { cache_control: { type: 'ephemeral' } }

interface Asking {
  readonly system?: string
  readonly say?: string
  readonly marked?: boolean
  readonly more?: Partial<Call>
}

/** What a call knows of its body. */
function calling({ system = LONG, say = 'Hello', marked = true, more = {} }: Asking = {}) {
  const model = 'claude-sonnet-5-5'
  const text = { type: 'text', text: system, ...(marked ? marker : {}) }
  const messages = [{ role: 'user', content: say }]
  const body = new TextEncoder().encode(
    JSON.stringify({ model, max_tokens: 9, messages, system: [text] }),
  )
  const scan = scanMessageRequest(body)
  if (scan.kind === 'invalid') throw new Error(scan.message)
  const { markers, prompt } = scan.facts
  return { body, model, markers, prompt, maxWaitMs: 10_000, ...more }
}

const after = <T>(ms: number, value: () => T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value()), ms))

const worldOf = (options: Partial<FlowWorldOptions> = {}) =>
  flowWorld({ answer: () => after(FIRST_BYTE_MS, served), ...options })

const startedAt = 1_000
const sentAfter = (world: ReturnType<typeof worldOf>): number[] =>
  world.attempts.map(({ at }) => at - startedAt)

describe('calls with the same new prefix', () => {
  it('wait for the first byte of the first and then go all at once, and say how long they waited', async () => {
    const world = worldOf()
    const asked = Array.from({ length: 20 }, (_, at) =>
      world.ask(calling({ say: `question ${at}` })),
    )
    await vi.advanceTimersByTimeAsync(FIRST_BYTE_MS - 1)
    expect(sentAfter(world)).toEqual([0])
    await vi.advanceTimersByTimeAsync(1)
    expect(sentAfter(world)).toEqual([0, ...Array.from({ length: 19 }, () => FIRST_BYTE_MS)])
    await vi.advanceTimersByTimeAsync(FIRST_BYTE_MS)
    const queued = (await Promise.all(asked)).map(({ headers }) => headers.get('sluice-queued-ms'))
    expect(queued).toEqual(['0', ...Array.from({ length: 19 }, () => String(FIRST_BYTE_MS))])
  })

  it('do not wait again while it is kept, and do once it is forgotten', async () => {
    const world = worldOf()
    await Promise.all([world.ask(calling()), vi.advanceTimersByTimeAsync(FIRST_BYTE_MS)])
    const askTwo = async (): Promise<number> => {
      const before = world.attempts.length
      const asked = ['one', 'two'].map((say) => world.ask(calling({ say })))
      await vi.advanceTimersByTimeAsync(0)
      const atOnce = world.attempts.length - before
      await Promise.all([...asked, vi.advanceTimersByTimeAsync(2 * FIRST_BYTE_MS)])
      return atOnce
    }
    for (const pauseMs of [290_000, 290_000]) {
      await vi.advanceTimersByTimeAsync(pauseMs)
      expect(await askTwo()).toBe(2)
    }
    await vi.advanceTimersByTimeAsync(300_000)
    expect(await askTwo()).toBe(1)
  })

  it('let the next one write where the first fails, and the rest go on waiting for that', async () => {
    const world = worldOf({
      answer: (_, nth) =>
        after(FIRST_BYTE_MS, () =>
          nth === 1 ? claudeError(400, 'invalid_request_error') : served(),
        ),
    })
    const asked = Array.from({ length: 5 }, () => world.ask(calling()))
    await vi.advanceTimersByTimeAsync(3 * FIRST_BYTE_MS)
    await Promise.all(asked)
    const second = [2, 2, 2].map((times) => times * FIRST_BYTE_MS)
    expect(sentAfter(world)).toEqual([0, FIRST_BYTE_MS, ...second])
  })

  it('let the next one write where the caller of the first leaves', async () => {
    const world = worldOf({
      answer: (attempt, nth) => (nth === 1 ? hangs(attempt) : after(FIRST_BYTE_MS, served)),
    })
    const leaving = new AbortController()
    const left = world.ask(calling(), leaving.signal).catch(() => null)
    const stays = world.ask(calling())
    await vi.advanceTimersByTimeAsync(100)
    leaving.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(sentAfter(world)).toEqual([0, 100])
    await Promise.all([left, stays, vi.advanceTimersByTimeAsync(10 * FIRST_BYTE_MS)])
  })

  it.each([
    ['the setting', { SLUICE_PREFIX_WAIT_MS: 300 }, {}, 300],
    ['what the call may wait at all', {}, { maxWaitMs: 200 }, 200],
    ['nothing, where the call may not wait', {}, { maxWaitMs: 0 }, 0],
    ['nothing, where it is switched off', { SLUICE_PREFIX_WAIT_MS: 0 }, {}, 0],
  ])('wait no longer than %s', async (_, settings, more, waitedMs) => {
    const world = worldOf({ settings })
    const asked = [world.ask(calling({ more })), world.ask(calling({ more }))]
    await vi.advanceTimersByTimeAsync(5_000)
    await Promise.all(asked)
    expect(sentAfter(world)).toEqual([0, waitedMs])
  })

  it('come too late to wait for one that has been silent for as long as anyone would', async () => {
    const world = worldOf({ answer: () => after(60_000, served) })
    const asked = [world.ask(calling())]
    await vi.advanceTimersByTimeAsync(2_900)
    asked.push(world.ask(calling()))
    await vi.advanceTimersByTimeAsync(200)
    expect(sentAfter(world)).toEqual([0, 3_000])
    await Promise.all([...asked, vi.advanceTimersByTimeAsync(120_000)])
  })
})

describe('nobody waits', () => {
  it.each<[string, Asking, Asking]>([
    ['for another prefix', {}, { system: `${LONG} other` }],
    ['where the prefix is too short for Claude to keep', { system: 'Hi' }, { system: 'Hi' }],
    ['where nobody asks Claude to keep it', { marked: false }, { marked: false }],
    [
      'where the tenant wants none of it',
      { more: { caller: { ...callerWith({}), autoPromptCache: 'off' } } },
      { more: { caller: { ...callerWith({}), autoPromptCache: 'off' } } },
    ],
    ['for another model', {}, { more: { model: 'claude-opus-5-5' } }],
    ['in a thread', { more: { usesThread: true } }, { more: { usesThread: true } }],
  ])('%s', async (_, one, other) => {
    const world = worldOf()
    const asked = [world.ask(calling(one)), world.ask(calling(other))]
    await vi.advanceTimersByTimeAsync(1)
    expect(sentAfter(world)).toEqual([0, 0])
    await Promise.all([...asked, vi.advanceTimersByTimeAsync(FIRST_BYTE_MS)])
  })

  it('for a little more than what is kept already', async () => {
    const world = worldOf()
    await Promise.all([world.ask(calling()), vi.advanceTimersByTimeAsync(FIRST_BYTE_MS)])
    const whole = (say: string) => calling({ say, more: { promptCache: 'all' } })
    const asked = [world.ask(whole('same')), world.ask(whole('same'))]
    await vi.advanceTimersByTimeAsync(0)
    expect(world.attempts).toHaveLength(3)
    asked.push(world.ask(whole(LONG)), world.ask(whole(LONG)))
    await vi.advanceTimersByTimeAsync(0)
    expect(world.attempts).toHaveLength(4)
    await Promise.all([...asked, vi.advanceTimersByTimeAsync(2 * FIRST_BYTE_MS)])
  })
})
