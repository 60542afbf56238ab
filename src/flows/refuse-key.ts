// What a caller whose key does not count is told.
import { GatewayError } from '../core/errors.ts'
import type { KeyRefusal } from './authenticate.ts'

const messages: Readonly<Record<KeyRefusal, string>> = {
  key_missing: 'x-api-key: expected a key (slk_…), here or as authorization: Bearer',
  key_malformed: 'x-api-key: this is not a key of this gateway (slk_…)',
  key_unknown: 'x-api-key: this key is not known',
  key_revoked: 'x-api-key: this key was revoked',
  key_expired: 'x-api-key: this key has expired',
  tenant_disabled: 'The tenant of this key is disabled',
  store_unavailable: 'The store of keys cannot be reached',
}

export const refusalOfKey = (reason: KeyRefusal): GatewayError =>
  new GatewayError(reason, messages[reason])
