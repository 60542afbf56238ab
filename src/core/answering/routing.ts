// The order in which accounts are asked for a call: those that serve its model, the least loaded first, backups after
// them, and last those that were known to be shut a moment ago. Calls with an affinity have an order of their own that is
// the same for every isolate (weighted rendezvous hashing: score = -weight / ln(hash), Schindelhauer and Schomaker
// 2005), so that adding an account moves few of them.
import type { Account } from './account.ts'
import { matchesModel } from './model-glob.ts'
import { hashText, unitOf } from './text-hash.ts'

export interface Affinity {
  readonly key: string
  /**
   * `thread`: the account or none, whatever its load. `session`: the account if it lets the call in. `prompt`: the
   * account while its load allows, since many callers may share a prompt.
   */
  readonly strength: 'thread' | 'session' | 'prompt'
  /** Before all others of its rank: it served the session last, and has its prefix. */
  readonly account?: string | null
}

export interface RoutingAsk {
  readonly affinity: Affinity | null
  /** In [0, 1). */
  readonly random: number
  /** Calls that this isolate has with the account. */
  readonly loadOf: (account: Account) => number
  /** Whether the account turned such calls away a moment ago, for longer than a moment. */
  readonly isShut: (account: Account) => boolean
}

/** Empty model: any. */
export const serving = (accounts: readonly Account[], model: string): readonly Account[] =>
  model === '' ? accounts : accounts.filter((account) => matchesModel(account.models, model))

export function orderAccounts(accounts: readonly Account[], ask: RoutingAsk): readonly Account[] {
  if (accounts.length < 2) return accounts
  const seed = ask.affinity?.key ?? String(ask.random)
  const standing = standingOf(accounts, ask)
  return accounts
    .map((account) => ({
      account,
      score: -account.weight / Math.log(unitOf(hashText(`${seed}\n${account.id}`))),
      isLast: account.id === ask.affinity?.account,
      ...standing(account),
    }))
    .sort(
      (a, b) =>
        Number(a.isShut) - Number(b.isShut) ||
        Number(a.account.backup) - Number(b.account.backup) ||
        Number(b.isLast) - Number(a.isLast) ||
        a.load - b.load ||
        b.score - a.score,
    )
    .map(({ account }) => account)
}

/** A prompt's account may have this much more than its share of the load. */
const SHARE_SLACK = 1.25

function standingOf(accounts: readonly Account[], { affinity, loadOf, isShut }: RoutingAsk) {
  if (affinity?.strength === 'thread') return () => ({ isShut: false, load: 0 })
  if (affinity?.strength === 'session') {
    return (account: Account) => ({ isShut: isShut(account), load: 0 })
  }
  if (affinity === null) {
    return (account: Account) => ({
      isShut: isShut(account),
      load: loadOf(account) / account.weight,
    })
  }
  // Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016), but half of an account is for free.
  let weights = 0
  let loads = 1
  for (const account of accounts) {
    weights += account.weight
    loads += loadOf(account)
  }
  return (account: Account) => {
    const share = Math.ceil((SHARE_SLACK * loads * account.weight) / weights)
    const bound = Math.max(share, Math.ceil(account.maxConcurrent / 2))
    return { isShut: isShut(account), load: loadOf(account) < bound ? 0 : 1 }
  }
}
