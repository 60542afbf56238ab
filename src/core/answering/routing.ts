// The order in which accounts are asked for a call: those that serve its model, backups last. With an affinity key the
// order is the same for every isolate (weighted rendezvous hashing: score = -weight / ln(hash), Schindelhauer and
// Schomaker 2005), so that adding an account moves few keys; without one it is drawn by weight.
import type { Account } from './account.ts'
import { matchesModel } from './model-glob.ts'

export interface RoutingAsk {
  /** Empty: any model. */
  readonly model: string
  readonly affinity: string | null
  /** In [0, 1). */
  readonly random: number
}

export function orderAccounts(accounts: readonly Account[], ask: RoutingAsk): readonly Account[] {
  const serving = accounts.filter(
    (account) => ask.model === '' || matchesModel(account.models, ask.model),
  )
  if (serving.length < 2) return serving
  const seed = ask.affinity ?? String(ask.random)
  const scored = serving.map((account) => ({
    account,
    score: -account.weight / Math.log(hashUnit(`${seed}\n${account.id}`)),
  }))
  scored.sort((a, b) => Number(a.account.backup) - Number(b.account.backup) || b.score - a.score)
  return scored.map(({ account }) => account)
}

/** FNV-1a with a final mix (MurmurHash3's), as a number in (0, 1). */
function hashUnit(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32
}
