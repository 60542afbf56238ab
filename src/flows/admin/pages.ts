// Lists in pages: `{"data","has_more","next_page"}`, with `limit` and `page` in the query. A page's name is where
// the one before ended, so that what is added meanwhile neither repeats nor hides an entry.
import { GatewayError } from '../../core/errors.ts'
import type { Listed, Page, Place } from '../../ports/admin.ts'

const DEFAULT_LIMIT = 100
const MAX_LIMIT = 1_000

type Query = Readonly<Record<string, string>>

/** What a place of this list consists of. */
export type PlaceShape = readonly ('string' | 'number')[]

export function parsePage(query: Query, shape: PlaceShape): Page {
  const { limit, page } = query
  if (limit !== undefined && !(/^\d{1,4}$/.test(limit) && +limit >= 1 && +limit <= MAX_LIMIT)) {
    throw new GatewayError(
      'invalid_request',
      `limit: expected a whole number from 1 to ${MAX_LIMIT}`,
    )
  }
  const after = page === undefined ? null : readPlace(page, shape)
  return { limit: limit === undefined ? DEFAULT_LIMIT : Number(limit), after }
}

/** Throws on a name that is not one of the query's own: a mistyped filter would show too much. */
export function expectOnly(query: Query, names: readonly string[]): void {
  const known = [...names, 'limit', 'page']
  const stranger = Object.keys(query).find((name) => !known.includes(name))
  if (stranger === undefined) return
  const name = stranger.slice(0, 100)
  throw new GatewayError(
    'invalid_request',
    `${name}: there is no such parameter (known are ${known.join(', ')})`,
  )
}

export const renderList = <T, Shown>(listed: Listed<T>, show: (entry: T) => Shown) => ({
  data: listed.data.map((entry) => show(entry)),
  has_more: listed.next !== null,
  next_page: listed.next === null ? null : writePlace(listed.next),
})

function writePlace(place: Place): string {
  const bytes = new TextEncoder().encode(JSON.stringify(place))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

function readPlace(name: string, shape: PlaceShape): Place {
  const place = decodePlace(name)
  const fits =
    Array.isArray(place) &&
    place.length === shape.length &&
    place.every((part, at) => typeof part === shape[at])
  if (!fits) {
    throw new GatewayError('invalid_request', 'page: expected a next_page of this very list')
  }
  // Each part has been held against the shape.
  return place as Place
}

function decodePlace(name: string): unknown {
  try {
    const binary = atob(name.replaceAll('-', '+').replaceAll('_', '/'))
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return null
  }
}
