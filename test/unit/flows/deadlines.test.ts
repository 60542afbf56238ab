import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Deadlines } from '../../../src/flows/deadlines.ts'

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const never = (): Promise<never> => new Promise(() => {})
const open = (): Deadlines => new Deadlines(Date.now)

test('an answer in time is passed on, and so is a failure', async () => {
  const waits = open()
  await expect(waits.within(100, Promise.resolve('yes'))).resolves.toBe('yes')
  await expect(waits.within(100, Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('each wait ends at its own time, whatever the order in which they began', async () => {
  const waits = open()
  const ended: string[] = []
  for (const [name, ms] of [
    ['slow', 300],
    ['fast', 100],
    ['middle', 200],
  ] as const) {
    waits.within(ms, never()).catch(() => ended.push(name))
  }
  await vi.advanceTimersByTimeAsync(99)
  expect(ended).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(ended).toEqual(['fast'])
  await vi.advanceTimersByTimeAsync(100)
  expect(ended).toEqual(['fast', 'middle'])
  await vi.advanceTimersByTimeAsync(100)
  expect(ended).toEqual(['fast', 'middle', 'slow'])
})

test('a wait that begins after another has ended has its whole time', async () => {
  const waits = open()
  await waits.within(100, Promise.resolve())
  await vi.advanceTimersByTimeAsync(50)
  let late = false
  waits.within(100, never()).catch(() => (late = true))
  await vi.advanceTimersByTimeAsync(99)
  expect(late).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(late).toBe(true)
})

test('one timer serves all waits of a request that end in time', async () => {
  const waits = open()
  const started = vi.spyOn(globalThis, 'setTimeout')
  for (const ms of [100, 2_000, 5_000, 100]) await waits.within(ms, Promise.resolve())
  expect(started).toHaveBeenCalledTimes(1)
})
