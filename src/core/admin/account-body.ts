// An account as an operator writes it: the fields of ANTHROPIC_ACCOUNTS, by the same names.
import {
  anyNumber,
  field,
  list,
  matching,
  nullable,
  object,
  oneOf,
  text,
  truth,
  wholeNumber,
} from './fields.ts'

const MAX_CONCURRENT = 100_000
const MAX_WEIGHT = 1_000_000
const MIN_WEIGHT = 0.000_001

/** Where the platform can place an object. */
export const LOCATION_HINTS = [
  'wnam',
  'enam',
  'sam',
  'weur',
  'eeur',
  'apac',
  'apac-ne',
  'apac-se',
  'oc',
  'afr',
  'me',
] as const

const id = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  '1 to 64 letters, digits, `.`, `_` or `-`, a letter or digit first',
)
const apiKey = matching(
  /^[\x21-\x7e]{1,512}$/,
  'a credential of printable characters without spaces',
)
const weight = anyNumber({ min: MIN_WEIGHT, max: MAX_WEIGHT })
const concurrent = wholeNumber({ min: 1, max: MAX_CONCURRENT })
const models = list(text({ min: 1, max: 128 }), { min: 1, max: 100 })

const BASE_URL =
  /^(?:https:\/\/(?:[a-z0-9-]+\.)*[a-z0-9-]+|http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]))(?::(\d{1,5}))?(?:\/[\w.~/-]*)?$/i
const LAST_PORT = 65_535

/** Without its last slash, as the settings read it. */
const baseUrl = field(
  'an https URL (http only to this machine) without query and fragment',
  (input) => {
    const [, port = '1'] = (typeof input === 'string' && BASE_URL.exec(input)) || ['', '0']
    const fits = Number(port) >= 1 && Number(port) <= LAST_PORT
    return typeof input === 'string' && fits ? input.replace(/\/+$/, '') : undefined
  },
)

export const newAccountBody = object(
  {
    id,
    api_key: apiKey,
    base_url: baseUrl,
    weight,
    max_concurrent: concurrent,
    min_concurrent: concurrent,
    backup: truth,
    models,
    location_hint: oneOf(LOCATION_HINTS),
  },
  ['id', 'api_key'],
)

/** Null: as in the settings again, or the default. */
export const accountChangeBody = object({
  weight: nullable(weight),
  max_concurrent: nullable(concurrent),
  min_concurrent: nullable(concurrent),
  backup: nullable(truth),
  models: nullable(models),
  draining: truth,
  api_key: apiKey,
})
