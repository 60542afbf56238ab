// Claude's list pages, for what a tenant owns: `limit`, `after_id`, `before_id` or `page`, the newest first. Ids and the
// word that there is more are of the tenant's own objects alone.

export interface OwnedPage {
  readonly limit: number
  /** Only what is older than this one. */
  readonly afterId: string | null
  /** Only what is newer than this one, next to it. */
  readonly beforeId: string | null
}

export type ReadPage =
  | { readonly kind: 'page'; readonly page: OwnedPage }
  | { readonly kind: 'invalid'; readonly message: string }

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 1_000

export function readOwnedPage(query: Readonly<Record<string, string>>): ReadPage {
  const { limit = String(DEFAULT_LIMIT), before_id: beforeId = null } = query
  // Newer versions of Claude's API page by a name, which here is the last id.
  const afterId = query['after_id'] ?? query['page'] ?? null
  if (!/^\d{1,9}$/.test(limit)) return invalid('limit: Input should be a valid integer')
  const number = Number(limit)
  if (number < 1) return invalid('limit: Input should be greater than or equal to 1')
  if (number > MAX_LIMIT) {
    return invalid(`limit: Input should be less than or equal to ${MAX_LIMIT}`)
  }
  if (afterId !== null && beforeId !== null) {
    return invalid('before_id: cannot be used together with after_id')
  }
  return { kind: 'page', page: { limit: number, afterId, beforeId } }
}

const invalid = (message: string): ReadPage => ({ kind: 'invalid', message })

export interface ShownObject {
  readonly id: string
  /** JSON. */
  readonly shown: string
}

/** JSON; each object as Claude wrote it. */
export function printOwnedList(objects: readonly ShownObject[], hasMore: boolean): string {
  const [first] = objects
  const last = objects.at(-1)
  const tail = {
    has_more: hasMore,
    first_id: first?.id ?? null,
    last_id: last?.id ?? null,
    next_page: hasMore ? (last?.id ?? null) : null,
  }
  const data = objects.map(({ shown }) => shown).join(',')
  return `{"data":[${data}],${JSON.stringify(tail).slice(1)}`
}
