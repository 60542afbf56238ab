import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  askStore,
  healthy,
  storeAnswered,
  type StoreHealth,
  storeFailed,
} from '../../../src/core/limits/store-health.ts'

/** Asks and fails at each of these moments; those at which the store was asked. */
function failAt(times: readonly number[], start: StoreHealth = healthy) {
  let health = start
  const asked: number[] = []
  for (const time of times) {
    const permit = askStore(health, time)
    health = permit.health
    if (permit.epoch === null) continue
    asked.push(time)
    health = storeFailed(health, permit.epoch, time)
  }
  return { health, asked }
}

const everyTenMs = Array.from({ length: 3_000 }, (_, index) => index * 10)

test('a dead store is asked a few times, then ever more rarely, and never later than after 4 s', () => {
  const { asked } = failAt(everyTenMs)
  expect(asked.slice(0, 8)).toEqual([0, 10, 20, 1_020, 3_020, 7_020, 11_020, 15_020])
})

test('a store that answers again is in use at once, and rests shortly the next time', () => {
  const { health } = failAt([0, 1, 2, 1_002, 3_002])
  const permit = askStore(health, 7_002)
  const back = storeAnswered(permit.health, permit.epoch ?? -1)
  expect(askStore(back, 7_003).epoch).not.toBeNull()
  const { asked } = failAt([8_000, 8_001, 8_002, 9_001, 9_002], back)
  expect(asked).toEqual([8_000, 8_001, 8_002, 9_002])
})

test('now and then a failure does not make a store rest', () => {
  let health = healthy
  for (let call = 0; call < 100; call += 1) {
    const { epoch } = askStore(health, call)
    expect(epoch).not.toBeNull()
    health =
      call % 3 === 0 ? storeAnswered(health, epoch ?? -1) : storeFailed(health, epoch ?? -1, call)
  }
})

test('a burst that fails together is one outage: its late failures do not prolong the rest', () => {
  const { epoch } = askStore(healthy, 0)
  let health = healthy
  for (let call = 0; call < 1_000; call += 1) health = storeFailed(health, epoch ?? -1, 250)
  expect(health.rest).toEqual({ nextTryAt: 1_250, restMs: 1_000 })
  expect(storeAnswered(health, epoch ?? -1)).toBe(health)
})

test('while a store rests, one call at a time tries it', () => {
  const { health } = failAt([0, 1, 2])
  const first = askStore(health, 1_002)
  expect(first.epoch).not.toBeNull()
  expect(askStore(first.health, 1_002).epoch).toBeNull()
})

test('a try whose result never comes is followed by another one', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (losses) => {
      let { health } = failAt([0, 1, 2])
      let now = 2
      for (const isLost of losses) {
        now += 4_000
        const permit = askStore(health, now)
        expect(permit.epoch).not.toBeNull()
        health = isLost ? permit.health : storeFailed(permit.health, permit.epoch ?? -1, now)
      }
      expect(askStore(health, now + 4_000).epoch).not.toBeNull()
    }),
  )
})
