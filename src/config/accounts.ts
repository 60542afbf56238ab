// The accounts as the settings name them: one key alone, or a JSON list. An account's fields have the wire's
// names there and ours from here on.
import * as z from 'zod/mini'
import type { Account } from '../core/answering/account.ts'
import type { Settings } from './settings.ts'
import { baseUrl, credential, integer, value } from './values.ts'

const DEFAULT_MAX_CONCURRENT = 50
const MAX_CONCURRENT = 100_000
const LOCATION_HINTS = 'wnam enam sam weur eeur apac apac-ne apac-se oc afr me'.split(' ')

const accountSchema = z.strictObject(
  {
    id: value('1 to 64 letters, digits, `.`, `_` or `-`', readAccountId),
    api_key: credential(),
    base_url: z.optional(baseUrl()),
    weight: z._default(value('a number above 0', readWeight), 1),
    max_concurrent: z._default(integer(1, MAX_CONCURRENT), DEFAULT_MAX_CONCURRENT),
    min_concurrent: z._default(integer(1, MAX_CONCURRENT), 1),
    backup: z._default(value('true or false', readBoolean), false),
    models: z._default(value('a list of model names or globs', readModels), ['*']),
    location_hint: z.optional(value(`one of ${LOCATION_HINTS.join(', ')}`, readLocationHint)),
  },
  { error: (issue) => describeShape(issue) },
)

export interface ReadAccounts {
  readonly accounts: readonly Account[]
  readonly problems: readonly string[]
}

export function readAccounts(settings: Partial<Settings>): ReadAccounts {
  const { ANTHROPIC_API_KEY: apiKey, ANTHROPIC_ACCOUNTS: list } = settings
  if (apiKey !== undefined && list !== undefined) {
    return refuse('ANTHROPIC_ACCOUNTS: set either this or ANTHROPIC_API_KEY, not both')
  }
  const entries = list ?? (apiKey === undefined ? [] : [{ id: 'default', api_key: apiKey }])
  if (entries.length === 0) {
    return refuse('ANTHROPIC_API_KEY: set this or ANTHROPIC_ACCOUNTS: no account was given')
  }
  const read = entries.map((entry, index) =>
    readAccount(entry, index, settings.ANTHROPIC_BASE_URL ?? ''),
  )
  const accounts = read.flatMap((result) => result.accounts)
  const problems = read.flatMap((result) => result.problems)
  return { accounts, problems: [...problems, ...findRepeatedIds(accounts)] }
}

function readAccount(entry: unknown, index: number, fallbackUrl: string): ReadAccounts {
  const name = `ANTHROPIC_ACCOUNTS[${index}]`
  const parsed = z.safeParse(accountSchema, entry)
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${[name, ...issue.path].join('.')}: ${issue.message}`,
    )
    return { accounts: [], problems }
  }
  const wire = parsed.data
  const account: Account = {
    id: wire.id,
    apiKey: wire.api_key,
    baseUrl: wire.base_url ?? fallbackUrl,
    weight: wire.weight,
    maxConcurrent: wire.max_concurrent,
    minConcurrent: wire.min_concurrent,
    backup: wire.backup,
    models: wire.models,
    locationHint: wire.location_hint ?? null,
    draining: false,
  }
  const isOrdered = account.minConcurrent <= account.maxConcurrent
  const problem = `${name}.min_concurrent: expected at most max_concurrent`
  return { accounts: [account], problems: isOrdered ? [] : [problem] }
}

function findRepeatedIds(accounts: readonly Account[]): string[] {
  const ids = accounts.map((account) => account.id)
  const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) !== index))
  return [...repeated].map((id) => `ANTHROPIC_ACCOUNTS: the id ${id} is there more than once`)
}

function refuse(problem: string): ReadAccounts {
  return { accounts: [], problems: [problem] }
}

/** For what zod itself finds wrong: not an object, or a field that we do not know. */
function describeShape(issue: { readonly code?: string; readonly keys?: unknown }): string {
  if (issue.code !== 'unrecognized_keys' || !Array.isArray(issue.keys)) return 'expected an object'
  return `unknown field ${issue.keys.join(', ')}`
}

function readAccountId(input: unknown): string | undefined {
  return typeof input === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(input) ? input : undefined
}

function readWeight(input: unknown): number | undefined {
  return typeof input === 'number' && Number.isFinite(input) && input > 0 ? input : undefined
}

function readBoolean(input: unknown): boolean | undefined {
  return typeof input === 'boolean' ? input : undefined
}

function readModels(input: unknown): string[] | undefined {
  if (!Array.isArray(input) || input.length === 0) return undefined
  return input.every((model) => typeof model === 'string' && model !== '') ? input : undefined
}

function readLocationHint(input: unknown): string | undefined {
  return LOCATION_HINTS.find((hint) => hint === input)
}
