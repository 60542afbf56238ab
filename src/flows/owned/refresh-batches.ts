// Batches of a list as they stand now: those that have not ended are asked for at Claude, a few at a time. Where Claude
// does not answer, a batch is shown as it was last seen.
import { type OwnedObject, readSeen } from '../../core/owned/owned-object.ts'
import type { Account } from '../../core/answering/account.ts'
import type { Services } from '../../ports.ts'
import type { RequestScope } from '../call.ts'
import { billLater } from './bill-batch.ts'

/** A Worker may wait for six answers' headers at a time. */
const AT_ONCE = 5
const MOST_REFRESHED = 100
const TIMEOUT_MS = 10_000

export async function refreshBatches(
  services: Services,
  scope: RequestScope,
  batches: readonly OwnedObject[],
): Promise<readonly OwnedObject[]> {
  const accounts = await services.accounts.usable()
  const waiting = batches.filter(({ isFinal }) => !isFinal).slice(0, MOST_REFRESHED)
  const fresh = new Map<string, OwnedObject | null>()
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      fresh.set(next.id, await refresh(services, scope, next, accounts))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return batches.flatMap((batch) => {
    const now = fresh.get(batch.id)
    return now === undefined ? [batch] : (now ?? [])
  })
}

/** Null: Claude has it no more. */
async function refresh(
  services: Services,
  scope: RequestScope,
  batch: OwnedObject,
  accounts: readonly Account[],
): Promise<OwnedObject | null> {
  const account = accounts.find(({ id }) => id === batch.account)
  if (account === undefined) return batch
  try {
    const response = await services.upstream.send(account, {
      method: 'GET',
      target: `/v1/messages/batches/${batch.id}`,
      headers: { 'anthropic-version': '2023-06-01' },
      body: null,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const json = await response.text()
    if (response.status === 404) {
      scope.defer(services.owned.forget(batch.id).catch(() => {}))
      return null
    }
    const seen = response.status === 200 ? readSeen('batch', json) : null
    if (seen === null || seen.id !== batch.id) return batch
    scope.defer(services.owned.see(seen).catch(() => {}))
    if (seen.hasEnded) scope.defer(billLater(services, batch))
    return { ...batch, shown: json, isFinal: seen.isFinal }
  } catch {
    return batch
  }
}
