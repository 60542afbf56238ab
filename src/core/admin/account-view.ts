// An account as an operator sees it: what its gate says, and what else decides whether calls go there.
import type { GateSnapshot } from '../admission/snapshot.ts'
import type { NumberedEntry } from '../admission/timeline.ts'
import type { Account, StoredAccount, UnusableAccount } from '../answering/account.ts'
import { mergeAccounts } from '../answering/account-list.ts'
import { showTime, showTimeOrNull } from './times.ts'

export interface AccountView {
  /** Never with its credential. */
  readonly account: Omit<Account, 'apiKey'>
  readonly source: 'settings' | 'added'
  /** Why no call can go there, whatever its gate says; null: nothing. */
  readonly problem: string | null
  /** What is stored of it beside the settings; null: nothing. */
  readonly stored: StoredAccount | null
}

export interface ViewSources {
  readonly settings: readonly Account[]
  readonly stored: readonly StoredAccount[]
  readonly unusable: readonly UnusableAccount[]
  /** For accounts that name none. */
  readonly baseUrl: string
}

/** By id. */
export function viewAccounts({ settings, stored, unusable, baseUrl }: ViewSources): AccountView[] {
  const rows = new Map(stored.map((row) => [row.id, row]))
  const problems = new Map(unusable.map(({ id, problem }) => [id, problem]))
  const given = new Set(settings.map(({ id }) => id))
  const opened = stored.map((row) => ({ stored: row, apiKey: row.sealedKey === null ? null : '' }))
  const views = mergeAccounts(settings, opened, baseUrl).map((account): AccountView => {
    const { apiKey: _apiKey, ...shown } = account
    const source = given.has(account.id) ? 'settings' : 'added'
    // What was added under an id of the settings is not used: the settings' own credential is.
    const problem = source === 'added' ? (problems.get(account.id) ?? null) : null
    return { account: shown, source, problem, stored: rows.get(account.id) ?? null }
  })
  return views.toSorted((a, b) => (a.account.id < b.account.id ? -1 : 1))
}

/** Why calls do not go there, and until when if that is known; null: they do. */
const unusedOf = (view: AccountView, gate: GateSnapshot | null): GateSnapshot['unused'] => {
  if (view.problem !== null) return { reason: 'credential_unusable', until: null }
  return gate === null ? { reason: 'gate_unavailable', until: null } : gate.unused
}

/** @param gate null: it cannot be reached */
export function showAccount(view: AccountView, gate: GateSnapshot | null) {
  const { account, source, problem, stored } = view
  return {
    ...(gate ?? unknownGate(view)),
    unused: unusedOf(view, gate),
    problem,
    source,
    backup: account.backup,
    serves: account.models,
    min_concurrent: account.minConcurrent,
    base_url: account.baseUrl,
    location_hint: account.locationHint,
    draining_since: showTimeOrNull(stored?.drainingSince ?? null),
    credential_since: showTimeOrNull(stored?.sealedAt ?? null),
    created_at: source === 'added' ? showTimeOrNull(stored?.createdAt ?? null) : null,
  }
}

const unknownGate = ({ account }: AccountView) => ({
  id: account.id,
  state: null,
  max_concurrent: account.maxConcurrent,
  draining: account.draining,
  weight: account.weight,
})

export const showTimelineEntry = (entry: NumberedEntry) => ({
  at: showTime(entry.at),
  kind: entry.kind,
  model: entry.modelClass,
  from: entry.from,
  to: entry.to,
  cause: entry.cause,
})
