// The ends of calls on their way to one object. An end that may wait a moment goes with those that come meanwhile, in one
// object call that the first of them makes; each still hears when its own is kept. An end that may not wait goes at
// once, and takes along what waits.
import { BoundedMap } from '../../core/limits/bounded-map.ts'
import type { Waits } from '../../ports.ts'

/** An end waits so long for others, and only where one went just before: a call that is alone goes at once. */
const GATHER_MS = 10
/** A request that gathers for others may be cut off itself: from then on another one tells. */
const OVERDUE_MS = 1_000
/** Longer than all tries of one telling: then each tells its own. */
const FORSAKEN_MS = 15_000
const MOST_NAMES = 10_000

export interface Telling<End> {
  /** Tells one object all of it, with tries of its own. What is told twice must count once. */
  readonly tell: (ends: readonly End[]) => Promise<void>
  readonly waits: Waits
  /** Nobody waits for what this end gives back. */
  readonly mayGather: boolean
}

interface Gathering<End> {
  readonly since: number
  readonly ends: End[]
  readonly hearers: PromiseWithResolvers<void>[]
  isTold: boolean
}

interface Line<End> {
  toldAt: number
  gathering: Gathering<End> | null
}

export class ToldTogether<End> {
  readonly #lines = new BoundedMap<Line<End>>(MOST_NAMES)
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** Resolves once it is kept, rejects where it could not be told. */
  async say(name: string, end: End, telling: Telling<End>): Promise<void> {
    const { mayGather, tell, waits } = telling
    const now = this.#now()
    const line = this.#lineOf(name)
    if (line.gathering === null && (!mayGather || now - line.toldAt >= GATHER_MS)) {
      line.toldAt = now
      return tell([end])
    }
    const gathering = (line.gathering ??= { since: now, ends: [], hearers: [], isTold: false })
    const heard = Promise.withResolvers<void>()
    gathering.ends.push(end)
    gathering.hearers.push(heard)
    if (!mayGather || now - gathering.since >= OVERDUE_MS) void this.#tell(line, gathering, tell)
    else if (gathering.ends.length === 1) {
      setTimeout(() => void this.#tell(line, gathering, tell), GATHER_MS)
    }
    return waits.within(FORSAKEN_MS, heard.promise).catch((error: unknown) => {
      if (gathering.isTold) throw error
      return tell([end])
    })
  }

  /** At once, what waits: for who is about to look at it. */
  async flush(name: string, tell: Telling<End>['tell']): Promise<void> {
    const line = this.#lines.get(name)
    if (line?.gathering) await this.#tell(line, line.gathering, tell)
  }

  #lineOf(name: string): Line<End> {
    const known = this.#lines.get(name)
    if (known !== undefined) return known
    const line: Line<End> = { toldAt: -Infinity, gathering: null }
    this.#lines.set(name, line)
    return line
  }

  async #tell(
    line: Line<End>,
    gathering: Gathering<End>,
    tell: Telling<End>['tell'],
  ): Promise<void> {
    if (line.gathering !== gathering) return
    line.gathering = null
    line.toldAt = this.#now()
    try {
      await tell(gathering.ends)
      gathering.isTold = true
      for (const { resolve } of gathering.hearers) resolve()
    } catch (error) {
      gathering.isTold = true
      for (const { reject } of gathering.hearers) reject(error)
    }
  }
}
