// Tenants of a test's own in a running gateway's D1: each case gets windows that nobody else has used.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeApiKey } from '../../src/core/keys/api-key.ts'
import { createKeyHasher } from '../../src/flows/hash-key.ts'
import type { DevSecrets } from '../../tools/dev/state.ts'
import { changeDatabase } from './gateway-database.ts'

export interface TenantOptions {
  readonly tier?: 'free' | 'premium' | 'enterprise'
  /** Fields of the tier that differ. */
  readonly overrides?: Readonly<Record<string, unknown>>
  readonly settings?: Readonly<Record<string, unknown>>
  readonly models?: readonly string[]
  readonly expiresAt?: number
}

export interface AddedTenant {
  readonly tenant: string
  readonly keyId: string
  readonly key: string
}

let added = 0

/** @param dir the state directory of the gateway */
export async function addTenant(dir: string, options: TenantOptions = {}): Promise<AddedTenant> {
  const { tier = 'enterprise', overrides = {}, settings = {}, models, expiresAt = null } = options
  const secrets = JSON.parse(readFileSync(join(dir, 'secrets.json'), 'utf8')) as DevSecrets
  const key = makeApiKey(randomBytes(64))
  const tenant = `test-${++added}`
  changeDatabase(
    dir,
    `INSERT INTO tenants (id, name, tier, settings, overrides, created_at) VALUES (?, ?, ?, ?, ?, ?)`,
    tenant,
    tenant,
    tier,
    JSON.stringify(settings),
    JSON.stringify(overrides),
    Date.now(),
  )
  changeDatabase(
    dir,
    `INSERT INTO keys (id, tenant, name, secret_hash, created_at, expires_at, models) VALUES (?, ?, 'test', ?, ?, ?, ?)`,
    key.id,
    tenant,
    await createKeyHasher(secrets.pepper)(key.text),
    Date.now(),
    expiresAt,
    models === undefined ? null : JSON.stringify(models),
  )
  return { tenant, keyId: key.id, key: key.text }
}
