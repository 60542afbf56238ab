// A tenant as an operator writes it and as the API shows it.
import { origins, webhookEndpoint } from './access-fields.ts'
import { matching, nullable, object, oneOf, text, truth, wholeNumber } from './fields.ts'
import { TIER_FIELDS, tierName } from './tier-body.ts'
import { showTime } from './times.ts'

export interface TenantSettings {
  readonly auto_prompt_cache?: boolean | null
  readonly cache_ttl_seconds?: number | null
  readonly limits_fail?: 'open' | 'closed' | 'count' | null
  readonly origins?: readonly string[] | null
  readonly webhook_endpoint?: string | null
}

export interface TenantRecord {
  readonly id: string
  readonly name: string
  readonly tier: string
  /** What is not there has its default. */
  readonly settings: TenantSettings
  /** Fields of a tier that differ for this tenant; null is unlimited. */
  readonly overrides: Readonly<Record<string, unknown>>
  readonly disabled: boolean
  readonly createdAt: number
}

const MAX_TTL_SECONDS = 31_536_000
const MAX_NAME = 200

const name = text({ min: 1, max: MAX_NAME })
const overrides = object(TIER_FIELDS)

const settings = object({
  auto_prompt_cache: nullable(truth),
  cache_ttl_seconds: nullable(wholeNumber({ min: 1, max: MAX_TTL_SECONDS })),
  limits_fail: nullable(oneOf(['open', 'closed', 'count'] as const)),
  origins: nullable(origins),
  webhook_endpoint: nullable(webhookEndpoint),
})

const changeable = { name, tier: tierName, settings, overrides, disabled: truth }

export const tenantId = matching(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  'an id of 1 to 64 letters, digits, ., - and _',
)

export const newTenantBody = object({ id: tenantId, ...changeable }, ['name', 'tier'])

/** Settings are laid over those that stand, null for the default; overrides replace those that stand. */
export const tenantChangeBody = object(changeable)

export const showTenant = (tenant: TenantRecord) => ({
  id: tenant.id,
  name: tenant.name,
  tier: tenant.tier,
  settings: {
    auto_prompt_cache: tenant.settings.auto_prompt_cache ?? true,
    cache_ttl_seconds: tenant.settings.cache_ttl_seconds ?? null,
    limits_fail: tenant.settings.limits_fail ?? 'count',
    origins: tenant.settings.origins ?? null,
    webhook_endpoint: tenant.settings.webhook_endpoint ?? null,
  },
  overrides: tenant.overrides,
  disabled: tenant.disabled,
  created_at: showTime(tenant.createdAt),
})
