// Kept answers in Redis, one command a step. Large ones are compressed by the platform before they are sent.
import { EVERYTHING } from '../../core/caching/generations.ts'
import type { KeptAnswer } from '../../core/caching/kept-answer.ts'
import { askStore, healthy, storeAnswered, storeFailed } from '../../core/limits/store-health.ts'
import type { Waits } from '../../ports.ts'
import type {
  AnswerFound,
  AnswerLook,
  AnswerStore,
  FlightName,
  FlightPiece,
} from '../../ports/answers.ts'
import { ANSWER_SCRIPTS, type AnswerScript } from './answer-scripts.ts'
import { countOf, listOf, textOf } from './read-reply.ts'
import { pack, unpack } from './session-text.ts'
import { printPiece, readPiece } from './flight-pieces.ts'

export interface AnswerStoreOptions {
  /** EVALSHA, and EVAL where Redis does not know the script. */
  readonly run: (
    script: { readonly text: string; readonly hash: string },
    keys: readonly string[],
    args: readonly (string | number)[],
    waits?: Waits,
  ) => Promise<unknown>
  readonly now: () => number
}

const PREFIX = 'sluice:answer'
const MARKS = `${PREFIX}s:marks`
const COUNTS = `${PREFIX}s:counts`
/** A maker that has not said for so long that it is alive is not. */
const HOLD_MS = 5_000
/** Who listened within that will listen again. */
const HEARD_MS = 2_000
/** Beyond that many the store begins anew, with everything invalidated. */
const MOST_MARKS = 50_000

export function upstashAnswerStore({ run, now }: AnswerStoreOptions): AnswerStore {
  const ask = (script: AnswerScript, keys: readonly string[], args: readonly (string | number)[]) =>
    run(ANSWER_SCRIPTS[script], keys, args)
  const look = guarded(now, async (asked: AnswerLook): Promise<AnswerFound> => {
    const keys = [MARKS, answerKey(asked.hash), claimKey(asked.hash)]
    const { look: script } = ANSWER_SCRIPTS
    return readFound(listOf(await run(script, keys, lookArguments(asked), asked.waits)))
  })
  return {
    look,
    async tell(flight, pieces) {
      const reply = listOf(
        await ask(
          'tell',
          [claimKey(flight.hash), saidKey(flight)],
          [now(), flight.token, HOLD_MS, HEARD_MS, ...pieces.map(printPiece)],
        ),
      )
      return { isHeld: countOf(reply[0]) === 1, isHeard: countOf(reply[1]) === 1 }
    },
    async listen(flight, from) {
      const [alive, pieces] = listOf(
        await ask('listen', [claimKey(flight.hash), saidKey(flight)], [now(), flight.token, from]),
      )
      return {
        pieces: listOf(pieces).map((piece) => readPiece(textOf(piece))),
        isAlive: countOf(alive) === 1,
      }
    },
    async land(flight, answer, last) {
      const keys = [MARKS, answerKey(flight.hash), claimKey(flight.hash), saidKey(flight)]
      const said = [last === null ? '' : printPiece(last), printPiece(lastOfKept(last))]
      const kept = answer === null ? [] : await keptArguments(answer, now())
      return (
        countOf(await ask('land', keys, [now(), flight.token, HOLD_MS, ...said, ...kept])) === 1
      )
    },
    async invalidate(mark, before) {
      const args = [now(), mark, before ?? '', MOST_MARKS, EVERYTHING]
      return countOf(await ask('invalidate', [MARKS], args))
    },
    async addCounts(counts) {
      await ask('count', [COUNTS], Object.entries(counts).flat())
    },
    async readCounts() {
      const reply = listOf(await ask('count', [COUNTS], []))
      const counts: Record<string, number> = {}
      for (let at = 0; at < reply.length; at += 2) {
        counts[textOf(reply[at])] = Number(reply[at + 1])
      }
      return counts
    },
  }
}

/** Who follows a stream has heard all of it; who waits for a whole answer finds it kept. */
const lastOfKept = (last: FlightPiece | null): FlightPiece =>
  last?.kind === 'end' ? last : { kind: 'kept' }

/** A store that fails again and again is not asked at each request. */
function guarded<Ask, Answer>(
  now: () => number,
  ask: (asked: Ask) => Promise<Answer>,
): (asked: Ask) => Promise<Answer> {
  let health = healthy
  return async (asked) => {
    const permit = askStore(health, now())
    health = permit.health
    if (permit.epoch === null) throw new Error('Redis has failed, and is left alone for a moment')
    try {
      const answer = await ask(asked)
      health = storeAnswered(health, permit.epoch)
      return answer
    } catch (error) {
      health = storeFailed(health, permit.epoch, now())
      throw error
    }
  }
}

const answerKey = (hash: string): string => `${PREFIX}:${hash}`
const claimKey = (hash: string): string => `${PREFIX}:${hash}:claim`
const saidKey = ({ hash, token }: FlightName): string => `${PREFIX}:${hash}:${token}`

/** Larger than any time, and written out by every Lua. */
const FOREVER_MS = 1e14
const bounded = (ms: number): number => Math.min(ms, FOREVER_MS)

const lookArguments = ({ now, token, accepts, near, marks }: AnswerLook) => [
  now,
  token ?? '',
  HOLD_MS,
  accepts === null ? 0 : 1,
  bounded(accepts?.maxAgeMs ?? 0),
  bounded(accepts?.minFreshMs ?? 0),
  bounded(accepts?.staleMs ?? 0),
  near?.generation ?? '',
  near?.storedAt ?? '',
  near?.marks.length ?? 0,
  ...(near?.marks ?? []),
  ...marks,
]

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const keptArguments = async (answer: KeptAnswer, now: number) => [
  Math.max(1, answer.keptUntil - now),
  answer.generation,
  answer.storedAt,
  answer.freshUntil,
  answer.keptUntil,
  answer.tookMs,
  answer.costNanoUsd,
  await pack(decoder.decode(answer.body)),
  answer.marks.join('\n'),
  ...answer.marks,
]

async function readFound(reply: readonly unknown[]): Promise<AnswerFound> {
  const [kind, second, third] = reply
  switch (kind) {
    case 'near':
      return { kind }
    case 'kept':
      return { kind, answer: await readAnswer(listOf(second)) }
    case 'lead':
      return { kind, generation: countOf(second), stale: await readStale(third) }
    case 'follow':
      return { kind, token: textOf(second), stale: await readStale(third) }
    default:
      throw new Error('Redis answered what was not asked')
  }
}

async function readStale(reply: unknown): Promise<KeptAnswer | null> {
  const fields = listOf(reply)
  return fields.length === 0 ? null : readAnswer(fields)
}

async function readAnswer(fields: readonly unknown[]): Promise<KeptAnswer> {
  const [generation, storedAt, freshUntil, keptUntil, marks, tookMs, costNanoUsd, body] = fields
  return {
    generation: countOf(generation),
    storedAt: countOf(storedAt),
    freshUntil: countOf(freshUntil),
    keptUntil: countOf(keptUntil),
    marks: textOf(marks).split('\n'),
    tookMs: countOf(tookMs),
    costNanoUsd: countOf(costNanoUsd),
    body: new TextEncoder().encode(await unpack(textOf(body))),
  }
}
