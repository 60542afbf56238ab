// What a caller whose key or token does not count is told.
import { GatewayError, type Reason } from '../core/errors.ts'
import type { KeyRefusal } from './authenticate.ts'

const messages: Readonly<Record<KeyRefusal, string>> = {
  key_missing: 'x-api-key: expected a key (slk_…), here or as authorization: Bearer',
  key_malformed: 'x-api-key: this is not a key of this gateway (slk_…)',
  key_unknown: 'x-api-key: this key is not known',
  key_revoked: 'x-api-key: this key was revoked',
  key_expired: 'x-api-key: this key has expired',
  token_malformed: 'x-api-key: this is not a token of this gateway (slt_…)',
  token_unknown: 'x-api-key: this token is not known',
  token_expired: 'x-api-key: this token has expired',
  tenant_disabled: 'The tenant of this key is disabled',
  store_unavailable: 'The store of keys cannot be reached',
}

/** The contract has one reason for a bad credential, whatever its kind. */
const reasonOf = (refusal: KeyRefusal): Reason => {
  if (refusal === 'token_malformed') return 'key_malformed'
  return refusal === 'token_unknown' ? 'key_unknown' : refusal
}

export const refusalOfKey = (refusal: KeyRefusal): GatewayError =>
  new GatewayError(reasonOf(refusal), messages[refusal])
