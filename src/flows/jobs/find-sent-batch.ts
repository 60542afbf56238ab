// A sending that ended without a word may have arrived. Claude lists batches without what is in them, so the one that was
// made since and has as many requests is taken for ours: where it is not, none of our jobs is in its results, and they are
// called by themselves.
import type { Account } from '../../core/answering/account.ts'
import { fieldsOf } from '../../core/answering/usage.ts'
import type { Services } from '../../ports.ts'
import type { ClaimedBatch, SentBatch } from '../../ports/jobs.ts'
import { askBatches } from './ask-batches.ts'

const LOOKED_AT = 20
/** Clocks differ. */
const SKEW_MS = 5_000

/** null: there is none. Throws where an account cannot be asked: then nobody knows. */
export async function findSent(
  services: Services,
  { batch, jobs }: ClaimedBatch,
  accounts: readonly Account[],
): Promise<SentBatch | null> {
  for (const account of accounts) {
    const path = `?limit=${LOOKED_AT}`
    const answer = await askBatches(services, account, batch, { method: 'GET', path, body: null })
    if (!answer.ok) throw new Error(`The list of batches was answered ${answer.status}`)
    const { data } = fieldsOf(await answer.json())
    for (const entry of Array.isArray(data) ? data : []) {
      const { id, created_at: createdAt, request_counts: counts } = fieldsOf(entry)
      const madeAt = typeof createdAt === 'string' ? Date.parse(createdAt) : Number.NaN
      // Some may have been canceled since.
      const count = sumOf(counts)
      const fits = count >= jobs.length && count <= batch.jobs.length
      if (typeof id === 'string' && fits && madeAt >= batch.createdAt - SKEW_MS) {
        return { account: account.id, upstreamId: id }
      }
    }
  }
  return null
}

const sumOf = (counts: unknown): number =>
  Object.values(fieldsOf(counts)).reduce<number>(
    (sum, count) => sum + (typeof count === 'number' ? count : 0),
    0,
  )
