// Claude's list pages: `limit`, `after_id`, `before_id`, newest first.
import { invalid } from './api-error.ts'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 1_000

export interface Page<T> {
  data: T[]
  has_more: boolean
  first_id: string | null
  last_id: string | null
}

export function pageOf<T extends { id: string }>(items: readonly T[], query: string): Page<T> {
  const params = new URLSearchParams(query)
  const limit = readLimit(params)
  const after = params.get('after_id')
  const before = params.get('before_id')
  const from = after === null ? 0 : indexOf(items, after, 'after_id') + 1
  const to = before === null ? items.length : indexOf(items, before, 'before_id')
  const range = items.slice(from, to)
  // With `before_id` the page is the stretch right before it.
  const data = before === null ? range.slice(0, limit) : range.slice(-limit)
  return {
    data,
    has_more: data.length < range.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

export function readLimit(params: URLSearchParams): number {
  const text = params.get('limit')
  if (text === null) return DEFAULT_LIMIT
  const limit = Number(text)
  if (!Number.isInteger(limit)) throw invalid('limit: Input should be a valid integer')
  if (limit < 1) throw invalid('limit: Input should be greater than or equal to 1')
  if (limit > MAX_LIMIT) throw invalid(`limit: Input should be less than or equal to ${MAX_LIMIT}`)
  return limit
}

function indexOf(items: readonly { id: string }[], id: string, field: string): number {
  const at = items.findIndex((item) => item.id === id)
  if (at === -1) throw invalid(`${field}: "${id}" was not found`)
  return at
}
