// Which accounts a call may go to, in the order in which they are asked.
import type { Account } from '../core/answering/account.ts'
import { modelClass } from '../core/answering/model-class.ts'
import { hashPromptPrefix } from '../core/answering/prompt-prefix.ts'
import { type Affinity, orderAccounts, serving } from '../core/answering/routing.ts'
import { GatewayError } from '../core/errors.ts'
import type { Services } from '../ports.ts'
import { knowledgeOf } from './account-knowledge.ts'
import type { Call } from './call.ts'

export interface Choice {
  /** In the order in which they are asked. */
  readonly candidates: readonly Account[]
  /** All that could take such a call, were they not shut. */
  readonly alternatives: readonly Account[]
  /** Whether some account that serves the model takes nothing new. */
  readonly someDrain: boolean
}

/** Throws where no account will ever take the call. */
export function checkModel({ model }: Call, accounts: readonly Account[]): void {
  if (serving(accounts, model).length > 0) return
  throw new GatewayError('not_found', `model: no account serves ${model}`)
}

export function chooseAccounts(
  services: Services,
  call: Call,
  accounts: readonly Account[],
): Choice {
  const able = serving(accounts, call.model)
  if (call.pinnedAccount !== undefined) return onlyAt(call.pinnedAccount, able)
  const taking = able.filter((account) => !account.draining)
  const someDrain = taking.length < able.length
  const choice = { alternatives: taking, someDrain }
  if (taking.length < 2) return { ...choice, candidates: taking }
  const knowledge = knowledgeOf(services)
  const now = services.now()
  const ofClass = modelClass(call.model)
  const candidates = orderAccounts(taking, {
    affinity: affinityOf(call),
    random: services.random(),
    loadOf: ({ id }) => knowledge.loadOf(id),
    isShut: ({ id }) => knowledge.isShut(id, ofClass, now),
  })
  // A thread lives on the account that made it.
  return { ...choice, candidates: call.usesThread ? candidates.slice(0, 1) : candidates }
}

/** Draining or not: nobody else has what the call names. */
function onlyAt(id: string, able: readonly Account[]): Choice {
  const only = able.filter((account) => account.id === id)
  if (only.length === 0) {
    throw new GatewayError('not_found', 'The account that keeps what this call names is gone')
  }
  return { candidates: only, alternatives: only, someDrain: false }
}

/** Every call of a key with a thread must find the same account without a store: the one that the key prefers. */
function affinityOf(call: Call): Affinity | null {
  const { tenant, keyId } = call.caller
  if (call.usesThread) return { key: `${tenant}/${keyId}`, strength: 'thread' }
  if (call.affinity !== null) {
    const { lastAccount } = call
    return { key: `${tenant}/${call.affinity}`, strength: 'session', account: lastAccount }
  }
  if (call.body === null || call.prompt === null) return null
  const prefix = hashPromptPrefix(call.body, call.prompt)
  return prefix === null ? null : { key: prefix, strength: 'prompt' }
}
