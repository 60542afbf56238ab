// How one setting is read. A setting arrives as text (a secret, a process's environment) or as a number (a
// var of wrangler.toml); each reader takes both, and says what it expected without ever repeating what came.
import * as z from 'zod/mini'

/** The longest time that a timer can hold; above it, timers fire at once. */
export const MAX_TIMER_MS = 2_147_483_647

/** A schema that reads a value or reports what was expected. `undefined` from `read` is a problem. */
export function value<T>(expected: string, read: (input: unknown) => T | undefined) {
  return z.pipe(
    z.unknown(),
    z.transform((input, context): T => {
      const result = read(input)
      if (result !== undefined) return result
      const message = input === undefined ? `is missing: ${expected}` : `expected ${expected}`
      context.issues.push({ code: 'custom', message, input })
      return z.NEVER
    }),
  )
}

export function integer(min: number, max: number) {
  return value(`a whole number from ${min} to ${max}`, (input) => readInteger(input, min, max))
}

/** A decimal number in [min, max], or in (min, max] when the lower end is excluded. */
export function ratio(min: number, max: number, lowerEnd: 'included' | 'excluded' = 'included') {
  const low = lowerEnd === 'included' ? `from ${min}` : `above ${min}`
  return value(`a number ${low} to ${max}`, (input) => {
    const number = typeof input === 'string' && /^\d+(\.\d+)?$/.test(input) ? Number(input) : input
    if (typeof number !== 'number' || !(number >= min && number <= max)) return undefined
    return lowerEnd === 'excluded' && number === min ? undefined : number
  })
}

/** Whole numbers separated by commas; a single number may arrive as one. */
export function integerList(min: number, max: number) {
  return value(`whole numbers from ${min} to ${max}, separated by commas`, (input) => {
    if (typeof input !== 'string' && typeof input !== 'number') return undefined
    const parts = String(input).split(',')
    const numbers = parts.map((part) => readInteger(part.trim(), min, max))
    return numbers.every((number) => number !== undefined) ? (numbers as number[]) : undefined
  })
}

/** A secret that we chose: long enough, and fit to be sent in a header. */
export function secret(minLength: number) {
  return value(`at least ${minLength} printable characters without spaces`, (input) => {
    const fits = typeof input === 'string' && input.length >= minLength && isHeaderToken(input)
    return fits ? input : undefined
  })
}

/** A credential that someone else chose: we only know that it must fit into a header. */
export function credential() {
  return value('a credential of printable characters without spaces', (input) =>
    typeof input === 'string' && isHeaderToken(input) ? input : undefined,
  )
}

/** An http or https address to which paths are added; without its last slash. */
export function baseUrl() {
  const expected = 'an http or https URL without user info, query and fragment'
  return value(expected, (input) => {
    const url = typeof input === 'string' ? parseUrl(input) : null
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined
    if (url.username !== '' || url.password !== '') return undefined
    if (url.search !== '' || url.hash !== '' || /[?#]$/.test(url.href)) return undefined
    return url.href.replace(/\/+$/, '')
  })
}

/** Exact origins separated by commas; an empty text is an empty list. */
export function originList() {
  return value('exact origins (https://host:port), separated by commas', (input) => {
    if (typeof input !== 'string') return undefined
    const origins = input === '' ? [] : input.split(',').map((origin) => origin.trim())
    return origins.every((origin) => parseUrl(origin)?.origin === origin) ? origins : undefined
  })
}

function readInteger(input: unknown, min: number, max: number): number | undefined {
  const number = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) return undefined
  return number >= min && number <= max ? number : undefined
}

function isHeaderToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text)
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null
}
