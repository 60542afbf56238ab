// Invalidation without looking for anything: each one is a mark with a number, and an answer is good as long as none of
// the marks that concern it is newer than the answer is. Which marks those are follows from what the answer is of.

/** What an answer is of. */
export interface AnswerOf {
  readonly tenant: string
  /** Empty: of nobody in particular. */
  readonly user: string
  readonly model: string
  /** The tenant's key that it was made with. */
  readonly keyId: string
  /** Its key in the cache. */
  readonly hash: string
  readonly tags: readonly string[]
}

/** What an operator wants gone: what all of the fields say; none: everything. */
export interface Invalidation {
  readonly tenant?: string
  readonly user?: string
  readonly model?: string
  readonly tag?: string
  /** A tenant's key, or the key of one answer. */
  readonly key?: string
}

/** What every mark but one answer's own begins with, and the mark of all answers. */
export const EVERYTHING = '*'

/** The invalidations that would concern it. */
export function marksOf({ tenant, user, model, keyId, hash, tags }: AnswerOf): readonly string[] {
  const marks = [`h=${hash}`]
  for (const owner of ['', part('t', tenant), part('k', keyId)]) {
    for (const who of user === '' ? [''] : ['', part('u', user)]) {
      for (const what of ['', part('m', model)]) {
        for (const tag of ['', ...tags.map((each) => part('g', each))]) {
          marks.push(EVERYTHING + owner + who + what + tag)
        }
      }
    }
  }
  return marks
}

const HASH = /^[0-9a-f]{64}$/

export function markOf({ tenant, user, model, tag, key }: Invalidation): string {
  // One answer is one, whatever else is said of it.
  if (key !== undefined && HASH.test(key)) return `h=${key}`
  return [
    EVERYTHING,
    // A key has one tenant.
    key === undefined ? partOr('t', tenant) : part('k', key),
    partOr('u', user),
    partOr('m', model),
    partOr('g', tag),
  ].join('')
}

/** Names may hold anything. */
const part = (kind: string, name: string): string => `${kind}=${encodeURIComponent(name)}&`
const partOr = (kind: string, name: string | undefined): string =>
  name === undefined ? '' : part(kind, name)

/** The number of a new invalidation: greater than all before it, even where they were lost. */
export const nextGeneration = (last: number, now: number): number => Math.max(last + 1, now)

/** What is known of one mark. */
export interface Mark {
  /** Answers of an older generation are gone. */
  readonly generation: number
  /** Answers that were stored before are gone, epoch ms. */
  readonly before: number
}

export const isGoodAfter = (
  answer: { readonly generation: number; readonly storedAt: number },
  marks: readonly Mark[],
): boolean =>
  marks.every(
    ({ generation, before }) => generation <= answer.generation && before <= answer.storedAt,
  )
