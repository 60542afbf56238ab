// Kept answers in this process alone: for a gateway in one process without Redis, and for tests. Bounded by bytes.
import { ByteBoundedMap } from '../../core/caching/byte-bounded-map.ts'
import {
  EVERYTHING,
  isGoodAfter,
  type Mark,
  nextGeneration,
} from '../../core/caching/generations.ts'
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import type { AnswerLook, AnswerStore, FlightName, FlightPiece } from '../../ports/answers.ts'

export interface MemoryAnswerStoreOptions {
  readonly now: () => number
  readonly mostBytes?: number
}

const MOST_BYTES = 64 * 1024 * 1024
const MOST_MARKS = 50_000
const HOLD_MS = 5_000
const HEARD_MS = 2_000
const NEVER: Mark = { generation: 0, before: 0 }

interface Claim {
  readonly token: string
  readonly generation: number
  heldUntil: number
  heardAt: number
}

interface Said {
  readonly pieces: FlightPiece[]
  until: number
}

export function memoryAnswerStore(options: MemoryAnswerStoreOptions): AnswerStore {
  const { now, mostBytes = MOST_BYTES } = options
  const answers = new ByteBoundedMap<KeptAnswer>(mostBytes)
  const claims = new Map<string, Claim>()
  const said = new Map<string, Said>()
  const counts = new Map<string, number>()
  let marks = new Map<string, Mark>()
  let newest = 0

  const marked = (names: readonly string[]): readonly Mark[] =>
    names.map((name) => marks.get(name) ?? NEVER)
  const claimOf = (hash: string): Claim | undefined => {
    const claim = claims.get(hash)
    return claim !== undefined && claim.heldUntil > now() ? claim : undefined
  }
  const sayOf = ({ hash, token }: FlightName): Said => {
    for (const [name, { until }] of said) if (until <= now()) said.delete(name)
    const name = `${hash} ${token}`
    const known = said.get(name) ?? { pieces: [], until: 0 }
    known.until = now() + HOLD_MS
    said.set(name, known)
    return known
  }
  const good = ({ hash, accepts }: AnswerLook) => {
    const answer = answers.get(hash)
    if (answer === undefined || accepts === null || now() >= answer.keptUntil) return null
    if (!isGoodAfter(answer, marked(answer.marks))) return null
    const lateMs = Math.max(
      now() + accepts.minFreshMs - answer.freshUntil + 1,
      now() - answer.storedAt - accepts.maxAgeMs,
    )
    return lateMs <= accepts.staleMs ? { answer, isFresh: lateMs <= 0 } : null
  }

  return {
    async look(look) {
      if (look.near !== null && isGoodAfter(look.near, marked(look.near.marks))) {
        return { kind: 'near' }
      }
      const found = good(look)
      if (found?.isFresh === true) return { kind: 'kept', answer: found.answer }
      const stale = found?.answer ?? null
      const lead = { kind: 'lead', generation: newest, stale } as const
      if (look.token === null) return lead
      const claim = claimOf(look.hash)
      const asked = Math.max(0, ...marked(look.marks).map(({ generation }) => generation))
      if (claim !== undefined && asked <= claim.generation) {
        return { kind: 'follow', token: claim.token, stale }
      }
      claims.set(look.hash, {
        token: look.token,
        generation: newest,
        heldUntil: now() + HOLD_MS,
        heardAt: 0,
      })
      return lead
    },
    async tell(flight, pieces) {
      const claim = claimOf(flight.hash)
      if (claim?.token !== flight.token) return { isHeld: false, isHeard: false }
      claim.heldUntil = now() + HOLD_MS
      if (pieces.length > 0) sayOf(flight).pieces.push(...pieces)
      return { isHeld: true, isHeard: claim.heardAt + HEARD_MS > now() }
    },
    async listen(flight, from) {
      const claim = claimOf(flight.hash)
      const isAlive = claim?.token === flight.token
      if (claim !== undefined && isAlive) claim.heardAt = now()
      return { pieces: sayOf(flight).pieces.slice(from), isAlive }
    },
    async land(flight, answer, last) {
      const isKept = answer !== null && isGoodAfter(answer, marked(answer.marks))
      if (isKept) answers.set(flight.hash, answer, answer.body.byteLength)
      if (claims.get(flight.hash)?.token === flight.token) {
        const word = isKept && last?.kind !== 'end' ? ({ kind: 'kept' } as const) : last
        if (word !== null) sayOf(flight).pieces.push(word)
        claims.delete(flight.hash)
      }
      return isKept
    },
    async invalidate(name, before) {
      newest = nextGeneration(newest, now())
      const mark = marks.get(name) ?? NEVER
      marks.set(
        name,
        before === null
          ? { ...mark, generation: newest }
          : { ...mark, before: Math.max(mark.before, before) },
      )
      if (marks.size > MOST_MARKS)
        marks = new Map([[EVERYTHING, { generation: newest, before: 0 }]])
      return newest
    },
    async addCounts(more) {
      for (const [name, count] of Object.entries(more)) {
        counts.set(name, (counts.get(name) ?? 0) + count)
      }
    },
    async readCounts() {
      return Object.fromEntries(counts)
    },
  }
}
