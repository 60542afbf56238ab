// Tenants, keys and writes as the tests of an admin store need them: each with an id of its own.
import type { KeyRecord } from '../../src/core/admin/key-body.ts'
import type { TenantRecord } from '../../src/core/admin/tenant-body.ts'
import type { AdminWrite, EventFilter, StoredAnswer } from '../../src/ports/admin.ts'

export const EVERYTHING: EventFilter = {
  action: null,
  target: null,
  tenant: null,
  from: null,
  to: null,
}
export const AT = 1_795_000_000_123
let made = 0
export const newId = (kind: string): string =>
  `${kind}${String(++made).padStart(10 - kind.length, '0')}`

export const write = (changes: Partial<AdminWrite> = {}): AdminWrite => ({
  at: AT,
  actor: 'admin:test',
  requestId: 'req_1',
  eventId: newId('evt'),
  answer: null,
  ...changes,
})

export const tenantWith = (changes: Partial<TenantRecord> = {}): TenantRecord => ({
  id: newId('t'),
  name: 'Acme "quoted" \u00e4',
  tier: 'free',
  settings: { origins: ['https://app.acme.test'], cache_ttl_seconds: 60 },
  overrides: { requests_per_minute: null, budget_usd_per_day: 0.5 },
  disabled: false,
  createdAt: AT,
  ...changes,
})

export const keyOf = (tenant: string, changes: Partial<KeyRecord> = {}): KeyRecord => ({
  id: newId('k'),
  tenant,
  name: 'first',
  createdAt: AT,
  lastUsedAt: null,
  expiresAt: AT + 1,
  models: ['claude-haiku-*'],
  origins: null,
  ips: ['10.0.0.0/8'],
  disabled: false,
  ...changes,
})

export const answerWith = (changes: Partial<StoredAnswer> = {}): StoredAnswer => ({
  name: newId('n').padEnd(64, '0'),
  fingerprint: 'f'.repeat(64),
  status: 201,
  sealed: 'sealed',
  ...changes,
})

export const HASH = 'a'.repeat(64)
