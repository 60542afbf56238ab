// A key as an operator writes it and as the API shows it: everything but its secret.
import { addresses, models, origins } from './access-fields.ts'
import { nullable, object, text, truth, wholeNumber } from './fields.ts'
import { showTime, showTimeOrNull, time } from './times.ts'

export interface KeyRecord {
  readonly id: string
  readonly tenant: string
  readonly name: string
  readonly createdAt: number
  readonly lastUsedAt: number | null
  readonly expiresAt: number | null
  /** Null: what the tenant may use; for addresses, any. */
  readonly models: readonly string[] | null
  readonly origins: readonly string[] | null
  readonly ips: readonly string[] | null
  readonly disabled: boolean
}

const MAX_NAME = 200
const MAX_GRACE_SECONDS = 30 * 86_400

/** Of a new key and of a change alike; null takes a bound away. */
export const keyBody = object({
  name: text({ min: 0, max: MAX_NAME }),
  expires_at: nullable(time),
  models: nullable(models),
  origins: nullable(origins),
  ips: nullable(addresses),
  disabled: truth,
})

export const rotationBody = object({
  grace_seconds: wholeNumber({ min: 0, max: MAX_GRACE_SECONDS }),
})

export const showKey = (key: KeyRecord) => ({
  id: key.id,
  tenant: key.tenant,
  name: key.name,
  created_at: showTime(key.createdAt),
  last_used_at: showTimeOrNull(key.lastUsedAt),
  expires_at: showTimeOrNull(key.expiresAt),
  models: key.models,
  origins: key.origins,
  ips: key.ips,
  disabled: key.disabled,
})
