// The fields that say from where and for what a key may be used: origins, models, addresses.
import { readRange } from '../keys/cidr.ts'
import { field, list, matching } from './fields.ts'

const MAX_ENTRIES = 100
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[1-9]\d{0,4})?$/
/** Browsers leave these out. */
const USUAL_PORT = /^(https:.*:443|http:.*:80)$/

const origin = field('an origin as https://app.example.com, or * for any', (input) => {
  if (typeof input !== 'string' || input.length > 255) return undefined
  return input === '*' || (ORIGIN.test(input) && !USUAL_PORT.test(input)) ? input : undefined
})

/** An empty list allows none. */
export const origins = list(origin, { min: 0, max: MAX_ENTRIES })

export const models = list(
  matching(/^[\x21-\x7e]{1,128}$/, 'the name of a model, with * for any characters'),
  { min: 1, max: MAX_ENTRIES },
)

export const addresses = list(
  field('an IP address or a range as 10.0.0.0/8 or 2001:db8::/32', (input) =>
    typeof input === 'string' && readRange(input) !== null ? input : undefined,
  ),
  { min: 1, max: MAX_ENTRIES },
)

/** Only that it is a text: `judgeWebhookAddress` says whether anything may be sent there. */
export const webhookEndpoint = field('a URL', (input) =>
  typeof input === 'string' ? input : undefined,
)
