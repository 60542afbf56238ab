// What `POST /v1/tokens` asks for: read strictly, since a misread field would be a token that allows more than was
// meant. Each problem names its field and what was expected.
import { MAX_TOKEN_TTL_SECONDS } from './browser-token.ts'

export interface TokenRequest {
  readonly ttlSeconds: number
  readonly origin: string
  /** Empty: nobody in particular. */
  readonly user: string
  readonly models: readonly string[] | null
  readonly maxRequests: number | null
  readonly budgetNanoUsd: number | null
}

export type ReadTokenRequest =
  | { readonly kind: 'request'; readonly request: TokenRequest }
  | { readonly kind: 'invalid'; readonly message: string }

export const MAX_USER_CHARS = 256
const MAX_MODELS = 20
const MAX_MODEL_CHARS = 100
const MAX_REQUESTS = 1_000_000
const MAX_BUDGET_USD = 1_000_000
const NANO_USD = 1e9

type Fields = Readonly<Record<string, unknown>>
/** Undefined: the field is wrong. */
type Reader<T> = (value: unknown) => T | undefined

const EXPECTED: Readonly<Record<string, string>> = {
  ttl_seconds: `a whole number of seconds from 1 to ${MAX_TOKEN_TTL_SECONDS}`,
  origin: 'one exact origin, such as https://app.example.com, without path and `*`',
  user: `a text of 1 to ${MAX_USER_CHARS} characters without control characters`,
  models: `a list of 1 to ${MAX_MODELS} model names or globs of 1 to ${MAX_MODEL_CHARS} characters`,
  max_requests: `a whole number from 1 to ${MAX_REQUESTS}`,
  budget_usd: `a number of US dollars above 0, at most ${MAX_BUDGET_USD}`,
}

export function readTokenRequest(body: unknown): ReadTokenRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return invalid('body: expected a JSON object')
  }
  const fields: Fields = Object.fromEntries(Object.entries(body))
  const unknown = Object.keys(fields).find((name) => !Object.hasOwn(EXPECTED, name))
  if (unknown !== undefined) return invalid(`${unknown.slice(0, 100)}: there is no such field`)
  const ttlSeconds = readCount(MAX_TOKEN_TTL_SECONDS)(fields['ttl_seconds'])
  const origin = readOrigin(fields['origin'])
  const user = optional(fields, 'user', '', readUser)
  const models = optional(fields, 'models', null, readModels)
  const maxRequests = optional(fields, 'max_requests', null, readCount(MAX_REQUESTS))
  const budgetNanoUsd = optional(fields, 'budget_usd', null, readBudget)
  if (ttlSeconds === undefined) return wrong(fields, 'ttl_seconds')
  if (origin === undefined) return wrong(fields, 'origin')
  if (user === undefined) return wrong(fields, 'user')
  if (models === undefined) return wrong(fields, 'models')
  if (maxRequests === undefined) return wrong(fields, 'max_requests')
  if (budgetNanoUsd === undefined) return wrong(fields, 'budget_usd')
  return {
    kind: 'request',
    request: { ttlSeconds, origin, user, models, maxRequests, budgetNanoUsd },
  }
}

/** Null means the same as leaving a field out. */
const optional = <T, A>(fields: Fields, name: string, absent: A, read: Reader<T>) =>
  fields[name] === undefined || fields[name] === null ? absent : read(fields[name])

const wrong = (fields: Fields, name: string): ReadTokenRequest =>
  invalid(`${name}: ${fields[name] === undefined ? 'is missing: ' : ''}expected ${EXPECTED[name]}`)

const invalid = (message: string): ReadTokenRequest => ({ kind: 'invalid', message })

const readCount =
  (max: number): Reader<number> =>
  (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max
      ? value
      : undefined

/** As a browser writes it in its `origin` header: lower case, no default port, no path. */
const readOrigin: Reader<string> = (value) =>
  typeof value === 'string' && ORIGIN.test(value) && !DEFAULT_PORT.test(value) ? value : undefined

const ORIGIN = /^https?:\/\/([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?$/
const DEFAULT_PORT = /^(http:\/\/.+:80|https:\/\/.+:443)$/

const readUser: Reader<string> = (value) =>
  typeof value === 'string' && value.length <= MAX_USER_CHARS && /^\P{Cc}+$/u.test(value)
    ? value
    : undefined

const readModels: Reader<readonly string[]> = (value) =>
  Array.isArray(value) &&
  value.length >= 1 &&
  value.length <= MAX_MODELS &&
  value.every((model) => typeof model === 'string' && MODEL.test(model))
    ? value
    : undefined

const MODEL = new RegExp(`^[\\x21-\\x7e]{1,${MAX_MODEL_CHARS}}$`)

const readBudget: Reader<number> = (value) => {
  if (typeof value !== 'number' || !(value > 0 && value <= MAX_BUDGET_USD)) return undefined
  return Math.max(1, Math.round(value * NANO_USD))
}
