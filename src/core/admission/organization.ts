// Whose limits an account draws on, as its answers tell. Accounts whose answers name the same organization draw on
// the same buckets: see observe.ts.
import { PEERS_MAX } from './tuning.ts'

export interface Organization {
  /** Null: no answer has told it yet. */
  id: string | null
  /** The other accounts of it, in the order in which they turned up. */
  peers: string[]
}

export const newOrganization = (): Organization => ({ id: null, peers: [] })

/** True where it is another than before: the account got another credential, and what it shared is over. */
export function learnOrganization(organization: Organization, id: string): boolean {
  if (organization.id === id) return false
  organization.id = id
  organization.peers = []
  return true
}

/** True where the account is a new one. */
export function learnPeer({ peers }: Organization, account: string): boolean {
  if (peers.includes(account) || peers.length >= PEERS_MAX) return false
  peers.push(account)
  return true
}
