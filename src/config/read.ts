// Reads every setting and checks them against each other. A setting that cannot be read does not hide the
// problems of the others: what depends on it is skipped, the rest is still checked.
import * as z from 'zod/mini'
import type { Account } from '../core/answering/account.ts'
import { judgeWebhookAddress } from '../core/webhooks/address.ts'
import { readAccounts } from './accounts.ts'
import { SETTINGS, type Settings, settingsSchema } from './settings.ts'

export type ReadSettings =
  | { readonly kind: 'read'; readonly settings: Settings; readonly accounts: readonly Account[] }
  | { readonly kind: 'bad'; readonly problems: readonly string[] }

type Source = Readonly<Record<string, unknown>>
type Name = keyof Settings

export function readSettings(env: Source): ReadSettings {
  const source = withDerived(env)
  const parsed = z.safeParse(settingsSchema, source)
  const issues = parsed.success ? [] : parsed.error.issues
  const readable = parsed.success ? parsed.data : readOneByOne(source)
  const isBad = (name: Name) => issues.some((issue) => issue.path[0] === name)
  const noList = isBad('ANTHROPIC_ACCOUNTS') || isBad('ANTHROPIC_API_KEY')
  const accounts = noList ? { accounts: [], problems: [] } : readAccounts(readable)
  const problems = [
    ...findUnknownNames(source),
    ...issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    ...accounts.problems,
    ...findDisagreements(readable),
    ...findHalfAPair(source),
    ...findInnerEndpoint(readable),
  ]
  if (!parsed.success || problems.length > 0) return { kind: 'bad', problems }
  return { kind: 'read', settings: parsed.data, accounts: accounts.accounts }
}

/** A lease's life alone may be shortened: the renewal follows, since a later one would never come. */
function withDerived(env: Source): Source {
  const ttl = z.safeParse(SETTINGS.SLUICE_LEASE_TTL_MS, env['SLUICE_LEASE_TTL_MS'])
  const renew = SETTINGS.SLUICE_LEASE_RENEW_MS.def.defaultValue
  if (env['SLUICE_LEASE_RENEW_MS'] !== undefined || !ttl.success) return env
  return { ...env, SLUICE_LEASE_RENEW_MS: Math.min(Number(renew), Math.ceil(ttl.data / 3)) }
}

function readOneByOne(source: Source): Partial<Settings> {
  const readable = Object.entries(SETTINGS).flatMap(([name, schema]) => {
    const parsed = z.safeParse(schema, source[name])
    return parsed.success ? [[name, parsed.data]] : []
  })
  return Object.fromEntries(readable) as Partial<Settings>
}

/** A mistyped name would otherwise be a default in disguise. */
function findUnknownNames(source: Source): string[] {
  return Object.keys(source)
    .filter((name) => name.startsWith('SLUICE_') && !Object.hasOwn(SETTINGS, name))
    .map((name) => `${name}: there is no such setting`)
}

function findDisagreements(settings: Partial<Settings>): string[] {
  const problems: string[] = []
  const atMost = (low: Name, high: Name) => {
    if (isAbove(settings[low], settings[high])) problems.push(`${low}: expected at most ${high}`)
  }
  atMost('SLUICE_BREAKER_COOLDOWN_MS', 'SLUICE_BREAKER_COOLDOWN_MAX_MS')
  atMost('SLUICE_RETRY_BASE_MS', 'SLUICE_RETRY_MAX_MS')
  const { SLUICE_LEASE_RENEW_MS: renewMs, SLUICE_LEASE_TTL_MS: ttlMs } = settings
  if (renewMs !== undefined && ttlMs !== undefined && renewMs >= ttlMs) {
    problems.push('SLUICE_LEASE_RENEW_MS: expected less than SLUICE_LEASE_TTL_MS')
  }
  if (settings.KEY_PEPPER !== undefined && settings.KEY_PEPPER === settings.KEY_PEPPER_PREVIOUS) {
    problems.push('KEY_PEPPER_PREVIOUS: expected another value than KEY_PEPPER')
  }
  return problems
}

/** The operator's own endpoint is held to the rules of everyone's. */
function findInnerEndpoint(settings: Partial<Settings>): string[] {
  const { SLUICE_OPERATOR_WEBHOOK_URL: url, SLUICE_WEBHOOK_ALLOW: allowed = [] } = settings
  if (url === undefined) return []
  const judged = judgeWebhookAddress(url, allowed)
  return judged.kind === 'refused' ? [`SLUICE_OPERATOR_WEBHOOK_URL: ${judged.problem}`] : []
}

function findHalfAPair(source: Source): string[] {
  const names = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN']
  const missing = names.filter((name) => source[name] === undefined)
  return missing.length === 1 ? [`${missing.join()}: is missing, while its other half is set`] : []
}

function isAbove(low: unknown, high: unknown): boolean {
  return typeof low === 'number' && typeof high === 'number' && low > high
}
