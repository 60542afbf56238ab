// Ends that go to one object together: none is lost, none waits longer than it may, and each hears what became of it.
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ToldTogether } from '../../../src/adapters/cloudflare/told-together.ts'
import { separateWaits } from '../../../src/adapters/separate-waits.ts'

let told: string[][]
let telling: () => Promise<void>
let together: ToldTogether<string>

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  told = []
  telling = async () => {}
  together = new ToldTogether(Date.now)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const tell = async (ends: readonly string[]): Promise<void> => {
  told.push([...ends])
  await telling()
}

const say = (end: string, mayGather = true, name = 'a'): Promise<void> =>
  together.say(name, end, { tell, waits: separateWaits, mayGather })

describe('an end', () => {
  test('that comes alone goes at once', async () => {
    await say('one')
    await vi.advanceTimersByTimeAsync(10)
    await say('two')
    expect(told).toEqual([['one'], ['two']])
  })

  test('that comes soon after another waits a moment, for whoever comes meanwhile', async () => {
    const all = ['one', 'two', 'three', 'four'].map((end) => say(end))
    expect(told).toEqual([['one']])
    await vi.advanceTimersByTimeAsync(9)
    expect(told).toEqual([['one']])
    await vi.advanceTimersByTimeAsync(1)
    expect(told).toEqual([['one'], ['two', 'three', 'four']])
    await Promise.all(all)
  })

  test('that may not wait goes at once, and takes along what waits', async () => {
    const all = [say('one'), say('two'), say('three', false)]
    expect(told).toEqual([['one'], ['two', 'three']])
    await Promise.all(all)
    await vi.advanceTimersByTimeAsync(100)
    expect(told).toHaveLength(2)
  })

  test('waits for nobody who goes elsewhere', async () => {
    await Promise.all([say('one', true, 'a'), say('two', true, 'b')])
    expect(told).toEqual([['one'], ['two']])
  })

  test('goes as soon as someone is about to look', async () => {
    const all = [say('one'), say('two')]
    await together.flush('a', tell)
    expect(told).toEqual([['one'], ['two']])
    await Promise.all(all)
    await together.flush('a', tell)
    await together.flush('nobody', tell)
    expect(told).toHaveLength(2)
  })
})

describe('whoever said it', () => {
  test('hears when it is kept, and not before', async () => {
    await say('one')
    const kept = Promise.withResolvers<void>()
    telling = () => kept.promise
    const heard: string[] = []
    for (const end of ['two', 'three']) void say(end).then(() => heard.push(end))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(told).toHaveLength(2)
    expect(heard).toEqual([])
    kept.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(heard).toEqual(['two', 'three'])
  })

  test('hears that it could not be told', async () => {
    await say('one')
    telling = () => Promise.reject(new Error('gone'))
    const all = Promise.allSettled([say('two'), say('three')])
    await vi.advanceTimersByTimeAsync(10)
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    telling = async () => {}
    await vi.advanceTimersByTimeAsync(10)
    await say('four')
    expect(told.at(-1)).toEqual(['four'])
  })
})

describe('when the request that gathers is cut off', () => {
  /** Its timer dies with it. */
  const cutOff = (): void => {
    vi.spyOn(globalThis, 'setTimeout').mockImplementationOnce(() => 0 as never)
  }

  test('a later one tells what waits', async () => {
    await say('one')
    cutOff()
    const lost = [say('two'), say('three')]
    await vi.advanceTimersByTimeAsync(999)
    expect(told).toEqual([['one']])
    await vi.advanceTimersByTimeAsync(1)
    const last = say('four')
    expect(told).toEqual([['one'], ['two', 'three', 'four']])
    await Promise.all([...lost, last])
  })

  test('each tells its own where no later one comes', async () => {
    await say('one')
    cutOff()
    const lost = [say('two'), say('three')]
    await vi.advanceTimersByTimeAsync(15_000)
    await Promise.all(lost)
    expect(told.flat().toSorted()).toEqual(['one', 'three', 'two'])
  })
})

test('whatever comes when, all of it is told once, and within a moment', async () => {
  const ends = fc.array(fc.record({ afterMs: fc.nat(15), mayGather: fc.boolean() }), {
    minLength: 1,
    maxLength: 60,
  })
  await fc.assert(
    fc.asyncProperty(ends, async (arrivals) => {
      together = new ToldTogether(Date.now)
      told = []
      const late: string[] = []
      const saidAt = new Map<string, number>()
      const noted = async (those: readonly string[]): Promise<void> => {
        for (const end of those) {
          if (Date.now() - (saidAt.get(end) ?? -Infinity) > 10) late.push(end)
        }
        await tell(those)
      }
      const all: Promise<void>[] = []
      for (const [index, { afterMs, mayGather }] of arrivals.entries()) {
        await vi.advanceTimersByTimeAsync(afterMs)
        saidAt.set(`${index}`, Date.now())
        all.push(together.say('a', `${index}`, { tell: noted, waits: separateWaits, mayGather }))
        if (!mayGather) expect(told.flat()).toContain(`${index}`)
      }
      await vi.advanceTimersByTimeAsync(10)
      await Promise.all(all)
      expect(told.flat().map(Number)).toEqual([...arrivals.keys()])
      expect(late).toEqual([])
    }),
  )
})
