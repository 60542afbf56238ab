// The ports of the admin plane. A session is one admin request's view of the database: what it reads is at least
// as new as the bookmark that it was opened with. Each write is all or nothing, together with its audit row.
import type { KeyRecord } from '../core/admin/key-body.ts'
import type { TenantRecord } from '../core/admin/tenant-body.ts'
import type { Attempt, DeliveryState } from '../core/webhooks/delivery.ts'
import type { CountedUsage, GroupField } from '../core/money/usage-report.ts'
import type { AccountFields, StoredAccount } from '../core/answering/account.ts'
import type { Tier } from '../core/money/tier.ts'
import type { StoredAccounts } from '../ports.ts'

export interface AdminStore {
  open(view: AdminView): AdminSession
}

export interface AdminView {
  /** `nearest`: a replica may answer. `primary`: what a change must be decided on. */
  readonly from: 'nearest' | 'primary'
  /** What the caller has seen already; null: nothing. */
  readonly bookmark: string | null
}

/** Every method throws GatewayError `store_unavailable` when the database cannot be asked. */
export interface AdminSession
  extends
    TierRecords,
    TenantRecords,
    KeyRecords,
    AccountRecords,
    UsageRecords,
    EventRecords,
    WebhookRecords {
  /** For the caller's next request, so that it sees what this one saw; null where the store has none. */
  bookmark(): string | null
  /** The answer to a request that was made before, less than a day ago. */
  findAnswer(name: string, since: number): Promise<StoredAnswer | null>
}

/** Who changes something, when, and how it is kept from being done twice. */
export interface AdminWrite {
  /** Epoch ms. */
  readonly at: number
  readonly actor: string
  readonly requestId: string
  readonly eventId: string
  /** Kept with the change itself: a second one of the same name fails, and the change with it. */
  readonly answer: StoredAnswer | null
}

export interface StoredAnswer {
  /** A hash of the caller's `idempotency-key`. */
  readonly name: string
  /** A hash of what was asked. */
  readonly fingerprint: string
  readonly status: number
  /** The answer's body, encrypted: it may hold a secret that is shown once. */
  readonly sealed: string
}

/** Entries after a place in a fixed order; one more than asked for is not given, but said. */
export interface Page {
  readonly limit: number
  /** Where the page before ended; null: from the start. */
  readonly after: Place | null
}

/** The values of the last entry by which a list is ordered. */
export type Place = readonly (string | number)[]

export interface Listed<T> {
  readonly data: readonly T[]
  /** Where to go on; null: there is no more. */
  readonly next: Place | null
}

export interface TierRecords {
  findTier(name: string): Promise<Tier | null>
  /** By name. */
  listTiers(page: Page): Promise<Listed<Tier>>
  putTier(tier: Tier, write: AdminWrite): Promise<void>
}

/** What is not there stays as it is. */
export interface TenantChange {
  readonly name?: string
  readonly tier?: string
  /** Laid over those that stand; null gives the default back. */
  readonly settings?: TenantRecord['settings']
  readonly overrides?: TenantRecord['overrides']
  readonly disabled?: boolean
}

export interface TenantRecords {
  findTenant(id: string): Promise<TenantRecord | null>
  /** The oldest first. */
  listTenants(page: Page): Promise<Listed<TenantRecord>>
  /** False: the id is taken. */
  addTenant(tenant: TenantRecord, write: AdminWrite): Promise<boolean>
  /** The tenant as it is now; null: there is none. */
  changeTenant(id: string, change: TenantChange, write: AdminWrite): Promise<TenantRecord | null>
  /** With its keys. False: there is none. */
  removeTenant(id: string, write: AdminWrite): Promise<boolean>
}

export type KeyChange = Partial<
  Pick<KeyRecord, 'name' | 'expiresAt' | 'models' | 'origins' | 'ips' | 'disabled'>
>

export interface KeyRotation {
  readonly secretHash: string
  /** Until then the former secret works too; epoch ms. */
  readonly formerUntil: number
}

/** A key that was revoked is not found by any of these. */
export interface KeyRecords {
  findKey(id: string): Promise<KeyRecord | null>
  /** The oldest first. */
  listKeys(tenant: string, page: Page): Promise<Listed<KeyRecord>>
  /** False: there is no such tenant. */
  addKey(key: KeyRecord, secretHash: string, write: AdminWrite): Promise<boolean>
  /** False: there is no such key. */
  rotateKey(id: string, rotation: KeyRotation, write: AdminWrite): Promise<boolean>
  /** The key as it is now; null: there is none. */
  changeKey(id: string, change: KeyChange, write: AdminWrite): Promise<KeyRecord | null>
  /** False: there is no such key. */
  revokeKey(id: string, write: AdminWrite): Promise<boolean>
}

export interface UsageSpan {
  /** Null: every tenant. */
  readonly tenant: string | null
  /** Days in UTC, inclusive. */
  readonly from: string
  readonly to: string
  readonly groupBy: readonly GroupField[]
}

export interface UsageRecords {
  /** What has been rolled up; in the order of the tenant and the fields asked for. */
  sumUsage(span: UsageSpan, page: Page): Promise<Listed<CountedUsage>>
}

export interface AccountRecords {
  /** Those that were added, and the changes of those of the settings. */
  listAccounts(): Promise<StoredAccounts>
  /** False: there is one with this id. */
  addAccount(account: StoredAccount, write: AdminWrite): Promise<boolean>
  /** False: there is none that was added with this id. */
  changeAccount(id: string, change: AccountChange, write: AdminWrite): Promise<boolean>
  /** Only one that was added and is draining; false: there is none. */
  removeAccount(id: string, write: AdminWrite): Promise<boolean>
}

export interface AccountChange {
  readonly source: 'settings' | 'added'
  readonly fields: ChangedFields
  readonly draining?: boolean
  readonly sealedKey?: string
}

/** Undefined: stays as it is; null: is again what the settings say, or the default. */
export type ChangedFields = {
  readonly [Name in keyof AccountFields]: AccountFields[Name] | null | undefined
}

export interface AuditEvent {
  readonly id: string
  /** Epoch ms. */
  readonly at: number
  readonly actor: string
  /** `<what>.<done>`, such as `tenant.create`. */
  readonly action: string
  /** The id of what was changed. */
  readonly target: string
  readonly tenant: string | null
  readonly requestId: string
  /** As the API shows it, without secrets; null: there was none. */
  readonly before: unknown
  readonly after: unknown
}

export interface EventFilter {
  readonly action: string | null
  readonly target: string | null
  readonly tenant: string | null
  /** Epoch ms, inclusive. */
  readonly from: number | null
  readonly to: number | null
}

export interface EventRecords {
  /** The latest first. */
  listEvents(filter: EventFilter, page: Page): Promise<Listed<AuditEvent>>
  /** For what is changed elsewhere than in the database. */
  addEvent(
    event: Omit<AuditEvent, 'id' | 'at' | 'actor' | 'requestId'>,
    write: AdminWrite,
  ): Promise<void>
}

/** A delivery as it was a moment ago. */
export interface ListedDelivery {
  readonly id: string
  /** A tenant's id, or the operator. */
  readonly owner: string
  readonly type: string
  readonly url: string | null
  readonly state: DeliveryState
  readonly createdAt: number
  readonly endedAt: number | null
  readonly dueAt: number | null
  readonly attemptCount: number
  /** The latest ones. */
  readonly attempts: readonly Attempt[]
}

export interface DeliveryFilter {
  readonly owner: string | null
  readonly state: string | null
  readonly type: string | null
}

export interface WebhookSecretRecord {
  readonly version: number
  /** Until then the version before signs too; epoch ms. */
  readonly formerUntil: number
}

export interface WebhookRecords {
  /** The latest first. */
  listDeliveries(filter: DeliveryFilter, page: Page): Promise<Listed<ListedDelivery>>
  findDelivery(id: string): Promise<ListedDelivery | null>
  /** The first version where nothing was rotated. */
  findWebhookSecret(owner: string): Promise<WebhookSecretRecord>
  /** False: another rotation made this version, or a later one. */
  rotateWebhookSecret(
    owner: string,
    secret: WebhookSecretRecord,
    write: AdminWrite,
  ): Promise<boolean>
}
