// What an operator does with tenants. A tenant's limits are those of its tier with its overrides laid over them, and
// must make sense together.
import { showTenant, type TenantRecord } from '../../core/admin/tenant-body.ts'
import { showTier } from '../../core/admin/tier-body.ts'
import { GatewayError } from '../../core/errors.ts'
import { readTier } from '../../core/money/tier-fields.ts'
import type { AdminSession, TenantChange } from '../../ports/admin.ts'
import type { Plan } from './answer-once.ts'
import type { AdminRequest } from './open-admin.ts'

export interface NewTenant extends TenantChange {
  readonly id?: string
  readonly name: string
  readonly tier: string
}

export async function planTenant(
  { session }: AdminRequest,
  given: NewTenant,
  now: number,
): Promise<Plan> {
  const tenant: TenantRecord = {
    id: given.id ?? `tnt_${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`,
    name: given.name,
    tier: given.tier,
    settings: given.settings ?? {},
    overrides: given.overrides ?? {},
    disabled: given.disabled ?? false,
    createdAt: now,
  }
  await expectSense(session, tenant)
  return {
    status: 201,
    body: showTenant(tenant),
    async commit(write) {
      const added = await session.addTenant(tenant, write)
      if (!added) {
        throw new GatewayError('invalid_request', 'id: expected one that no other tenant has')
      }
    },
  }
}

export async function changeTenant(
  { session, write }: AdminRequest,
  id: string,
  change: TenantChange,
): Promise<TenantRecord> {
  const current = await findTenant(session, id)
  const { tier = current.tier, overrides = current.overrides } = change
  await expectSense(session, { tier, overrides })
  const changed = await session.changeTenant(id, change, write(null))
  if (changed === null) throw noTenant()
  return changed
}

/** Throws `not_found`. */
export async function findTenant(session: AdminSession, id: string): Promise<TenantRecord> {
  const tenant = await session.findTenant(id)
  if (tenant === null) throw noTenant()
  return tenant
}

export const noTenant = (): GatewayError =>
  new GatewayError('not_found', 'tenant: there is none with this id')

/** The tier exists, and a tenant that is downgraded has a model to be downgraded to. */
async function expectSense(
  session: AdminSession,
  { tier: name, overrides }: Pick<TenantRecord, 'tier' | 'overrides'>,
): Promise<void> {
  const tier = await session.findTier(name)
  if (tier === null) {
    throw new GatewayError('invalid_request', 'tier: expected the name of a tier that exists')
  }
  const limits = readTier({ ...showTier(tier) }, overrides)
  if (limits.onOverload === 'downgrade' && limits.downgradeTo === null) {
    throw new GatewayError(
      'invalid_request',
      'overrides.downgrade_to: expected a model, since on_overload is downgrade',
    )
  }
}
