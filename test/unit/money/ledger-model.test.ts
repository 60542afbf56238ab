// Every order of events in a small world: a budget for less than two of three calls, two places, and a disk; callers that
// ask, renew, end, end twice, vanish and lose answers; a ledger that is written when it likes, and crashes once.
import { expect, test } from 'vitest'
import { type Action, LedgerWorld } from '../../support/ledger-world.ts'

// Some 15,000 states in 3 s. Six steps were searched too (82,000 states).
const DEPTH = 5

const ACTIONS: readonly Action[] = [
  ...[0, 1, 2].flatMap((caller): Action[] => [
    { do: 'ask', caller },
    { do: 'ask_lost', caller },
    { do: 'renew', caller },
    { do: 'finish', caller },
    { do: 'finish_lost', caller },
    { do: 'settle_again', caller },
    { do: 'release', caller },
    { do: 'vanish', caller },
  ]),
  { do: 'pass', ms: 20_000 },
  { do: 'pass', ms: 61_000 },
  { do: 'write' },
  { do: 'crash' },
]

const replay = (actions: readonly Action[]): LedgerWorld => {
  const world = new LedgerWorld()
  for (const action of actions) world.act(action)
  return world
}

test(`a ledger keeps its promises in every order of ${DEPTH} events`, () => {
  const seen = new Set<string>()
  let orders: (readonly Action[])[] = [[]]
  for (let depth = 1; depth <= DEPTH; depth += 1) {
    const next: (readonly Action[])[] = []
    for (const before of orders) {
      for (const action of ACTIONS) {
        const world = replay(before)
        if (!world.mayDo(action)) continue
        const actions = [...before, action]
        try {
          world.act(action)
          const key = world.key()
          if (seen.has(key)) continue
          seen.add(key)
          world.check()
          next.push(actions)
          world.end()
          world.checkBooks()
        } catch (error) {
          throw new Error(`After ${JSON.stringify(actions)}: ${String(error)}`, { cause: error })
        }
      }
    }
    orders = next
  }
  expect(seen.size).toBeGreaterThan(10_000)
})
