// The accounts that calls may go to: those of the settings with what an operator changed of them, then those that were
// added. Where an id is in both, the settings' credential and address count.
import type { Account, AccountFields, StoredAccount } from './account.ts'

/** A stored account whose credential was opened; null where it holds none. */
export interface OpenedAccount {
  readonly stored: StoredAccount
  readonly apiKey: string | null
}

export const ACCOUNT_DEFAULTS = {
  weight: 1,
  maxConcurrent: 50,
  minConcurrent: 1,
  backup: false,
  models: ['*'],
} as const satisfies AccountFields

/** @param baseUrl for accounts that name none */
export function mergeAccounts(
  settings: readonly Account[],
  opened: readonly OpenedAccount[],
  baseUrl: string,
): readonly Account[] {
  const byId = new Map(opened.map(({ stored }) => [stored.id, stored]))
  const given = settings.map((account) => changed(account, byId.get(account.id)))
  const taken = new Set(settings.map(({ id }) => id))
  const added = opened.flatMap(({ stored, apiKey }) => {
    // The changes of an account that the settings no longer have: kept, in case it comes back.
    if (apiKey === null || taken.has(stored.id)) return []
    const { id, locationHint } = stored
    const fresh: Account = {
      ...ACCOUNT_DEFAULTS,
      id,
      apiKey,
      baseUrl: stored.baseUrl ?? baseUrl,
      locationHint,
      draining: false,
    }
    return [changed(fresh, stored)]
  })
  return [...given, ...added]
}

function changed(account: Account, stored: StoredAccount | undefined): Account {
  if (stored === undefined) return account
  const merged = { ...account, ...stored.fields, draining: stored.drainingSince !== null }
  // The settings may have changed below the operator's numbers since.
  return { ...merged, minConcurrent: Math.min(merged.minConcurrent, merged.maxConcurrent) }
}
