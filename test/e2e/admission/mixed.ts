// Two thousand calls of every kind at three accounts of eight: served, streamed, slow, failing in each way, hanging, and left
// by their callers at any moment. Claude must never see a ninth, and every slot must come home.
import { mix, Random } from '../../../tools/simulator/random.ts'
import { eventually } from '../../support/eventually.ts'
import { abandon, type Answered, call, type Ask, countBy, inTurns, pause } from './callers.ts'
import { send } from '../../support/raw-http.ts'
import { mostInFlight, type World } from './world.ts'

export interface MixedOptions {
  readonly accounts: readonly string[]
  readonly slots: number
  readonly model: string
  readonly keys: readonly string[]
  readonly seed: number
  readonly calls: number
  readonly atATime: number
}

export interface MixedResult {
  readonly seed: number
  readonly calls: number
  readonly tookMs: number
  readonly most: readonly number[]
  readonly outcomes: Readonly<Record<string, number>>
  readonly upstreamCalls: number
  /** Calls that Claude still had open when every caller had its answer and a second had passed. */
  readonly leftOpen: number
  /** Slots that the gates still counted as taken, long before any lease expires. */
  readonly held: number
}

// Far less than a lease lasts here: one that was lost is still there.
const HOME_WITHIN_MS = 3_000
const CLOSED_WITHIN_MS = 2_000

export async function runMixed(world: World, options: MixedOptions): Promise<MixedResult> {
  const { accounts, seed, calls, atATime } = options
  const { gauge } = world.simulator.sim
  gauge.resetMax()
  const rules = Object.entries(FLAKY).map(([tag, fault]) =>
    world.simulator.sim.rules.add({ match: { tag, every: 2 }, fault }),
  )
  const since = world.simulator.journal.list().at(-1)?.n ?? 0
  const startedAt = performance.now()
  const jobs = Array.from({ length: calls }, (_, index) => () => runOne(world, options, index))
  const outcomes = await inTurns(jobs, atATime)
  const tookMs = Math.round(performance.now() - startedAt)
  for (const { id } of rules) world.simulator.sim.rules.remove(String(id))
  const openNow = (): number => accounts.reduce((sum, id) => sum + gauge.inFlight(id), 0)
  const leftOpen = await eventually(openNow, (count) => count === 0, {
    withinMs: CLOSED_WITHIN_MS,
  })
  const upstreamCalls = world.simulator.journal
    .list({ since })
    .filter(({ org }) => org !== null && accounts.includes(org)).length
  const held = await slotsHeld(world, accounts)
  const most = accounts.map((id) => mostInFlight(world, id))
  const counted = countBy(outcomes, (outcome) => outcome)
  return { seed, calls, tookMs, most, outcomes: counted, upstreamCalls, leftOpen, held }
}

async function runOne(world: World, options: MixedOptions, index: number): Promise<string> {
  const random = new Random(mix(options.seed, index))
  const key = random.pick(options.keys)
  const { leavesAfterMs, ...ask } = drawCall(random)
  const asked: Ask = { ...ask, key, fields: { model: options.model, ...ask.fields } }
  if (leavesAfterMs !== null) {
    await abandon(world, asked, leavesAfterMs, random.chance(0.5))
    return 'left'
  }
  const answered = await call(world, asked).catch((error: NodeJS.ErrnoException) => error)
  if (answered instanceof Error) return `lost ${answered.code} ${ask.fault ?? ask.tag ?? 'good'}`
  // As told to: else the rest of the calls would be spent in the moment of an open breaker.
  if (answered.reason === 'accounts_open') await pause(200)
  return nameOf(answered)
}

const nameOf = ({ status, reason, broken }: Answered): string =>
  broken ? `${status} broken stream` : reason === undefined ? `${status}` : `${status} ${reason}`

/** Faults that strike every other attempt with this tag, so that some retries go well. */
const FLAKY: Readonly<Record<string, string>> = {
  throttled: '429;retry-after=0',
  overloaded: '529',
  reset: 'reset',
  late: 'hang',
}

interface DrawnCall extends Ask {
  /** null: it stays for the answer. */
  readonly leavesAfterMs: number | null
}

/** Shares of a hundred: what kinds of calls there are. */
function drawCall(random: Random): DrawnCall {
  const die = random.int(100)
  const stream = { stream: true }
  const stays = { leavesAfterMs: null }
  const slow = `slow=${10 + random.int(110)}`
  if (die < 42) return { ...stays, fault: slow }
  if (die < 55) return { ...stays, fields: stream, prompt: `[sim:deltas=10][sim:gap=5]` }
  if (die < 61) return { ...stays, fields: stream, prompt: longPrompt(random) }
  if (die < 65) return { ...stays, fault: 'reset' }
  if (die < 68) return { ...stays, fields: stream, fault: 'reset;after=3' }
  if (die < 70) return { ...stays, fields: stream, fault: 'error;after=0' }
  if (die < 72) return { ...stays, fields: stream, fault: 'cut;after=4' }
  if (die < 75) return { ...stays, fault: random.pick(['529', '500', '502', 'bad-json']) }
  if (die < 80) return { ...stays, tag: random.pick(Object.keys(FLAKY)) }
  if (die < 82) return { ...stays, fault: 'hang' }
  if (die < 84) return { ...stays, fields: stream, fault: 'stall;after=3' }
  if (die < 85) return { ...stays, fault: '400' }
  const leavesAfterMs = random.int(400)
  if (die < 91) return { leavesAfterMs, fault: slow }
  if (die < 94) return { leavesAfterMs, fault: 'hang' }
  return { leavesAfterMs, fields: stream, prompt: longPrompt(random) }
}

const longPrompt = (random: Random): string =>
  `[sim:tokens=400][sim:deltas=${30 + random.int(30)}][sim:gap=${10 + random.int(20)}]`

/** Slots that the gates still count as taken: none, once every call has ended. */
const slotsHeld = (world: World, accounts: readonly string[]): Promise<number> =>
  eventually(
    async () => {
      const held = await Promise.all(accounts.map((id) => inUse(world, id)))
      return held.reduce((sum, count) => sum + count, 0)
    },
    (count) => count === 0,
    { withinMs: HOME_WITHIN_MS },
  )

async function inUse(world: World, account: string): Promise<number> {
  const { url, admin_token: token } = world.gateway()
  const { body } = await send(url, {
    path: `/admin/v1/accounts/${account}`,
    headers: [['authorization', `Bearer ${token}`]],
  })
  return (JSON.parse(body.toString()) as { in_use: number }).in_use
}
