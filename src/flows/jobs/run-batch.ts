// One message of a batch: it is sent, or asked after, or its results are read. Each step is short and starts from what is
// stored, so a restart goes on where the last one was.
import type { Account } from '../../core/answering/account.ts'
import { modelClass } from '../../core/answering/model-class.ts'
import { serving } from '../../core/answering/routing.ts'
import { fieldsOf } from '../../core/answering/usage.ts'
import { MOST_SENDINGS } from '../../core/jobs/batch.ts'
import type { Services } from '../../ports.ts'
import type { ClaimedBatch, JobMessage, SentBatch, StoredJob } from '../../ports/jobs.ts'
import { knowledgeOf } from '../account-knowledge.ts'
import { concat } from '../read-body.ts'
import { readGroup } from './batch-group.ts'
import { canPayFor } from './pay-for-batch.ts'
import { findSent } from './find-sent-batch.ts'
import { askBatches } from './ask-batches.ts'
import { readBatchResults } from './read-batch-results.ts'

export const isBatchMessage = ({ job }: JobMessage): boolean => job.startsWith('bat_')

export async function runBatch(services: Services, message: JobMessage): Promise<void> {
  const token = crypto.randomUUID()
  const leaseMs = services.config.gate.leaseTtlMs
  const claimed = await services.jobBatches.claimBatch(message, { token, leaseMs })
  if (claimed === null) return
  const next = await makeStep(services, claimed).catch((error: unknown): Next => {
    services.log({ event: 'batch_step_failed', batch: message.job, error: String(error) })
    return 'wait'
  })
  if (next === 'wait') await services.jobBatches.waitForBatch(message, token)
  else if (next === 'end') await services.jobBatches.endBatch(message, token)
  else await services.jobBatches.sentBatch(message, token, next)
}

/** What follows: it is looked at again, it is over, or it was sent. */
type Next = 'wait' | 'end' | SentBatch

async function makeStep(services: Services, claimed: ClaimedBatch): Promise<Next> {
  const { sent } = claimed.batch
  const accounts = await services.accounts.usable()
  if (sent === null) return sendBatch(services, claimed, accounts)
  const account = accounts.find(({ id }) => id === sent.account)
  // It was removed, and the batch with it.
  if (account === undefined) return 'end'
  const standing = await askBatches(services, account, claimed.batch, {
    method: 'GET',
    path: `/${sent.upstreamId}`,
    body: null,
  })
  if (standing.status === 404) return 'end'
  if (!standing.ok) return 'wait'
  const { processing_status: status } = fieldsOf(await standing.json())
  if (status !== 'ended') return 'wait'
  const results = await askBatches(services, account, claimed.batch, {
    method: 'GET',
    path: `/${sent.upstreamId}/results`,
    body: null,
  })
  if (!results.ok || results.body === null) return 'wait'
  await readBatchResults(services, claimed, results.body)
  return 'end'
}

async function sendBatch(
  services: Services,
  claimed: ClaimedBatch,
  accounts: readonly Account[],
): Promise<Next> {
  const { batch, jobs } = claimed
  if (batch.sendings > MOST_SENDINGS) return 'end'
  const { model } = readGroup(batch.group)
  if (batch.sendings > 1) {
    const found = await findSent(services, claimed, serving(accounts, model))
    if (found !== null) return found
  }
  const account = chooseAccount(services, model, accounts)
  if (account === null) return 'wait'
  // Where not all of it can be paid for, each is asked for by itself.
  if (!(await canPayFor(services, jobs))) return 'end'
  const body = await bodyOf(services, jobs)
  const answer = await askBatches(services, account, claimed.batch, {
    method: 'POST',
    path: '',
    body,
  })
  if (answer.ok) {
    const { id } = fieldsOf(await answer.json())
    if (typeof id === 'string') return { account: account.id, upstreamId: id }
    return 'end'
  }
  await answer.body?.cancel()
  const isPassing = answer.status === 429 || answer.status >= 500
  services.log({ event: 'batch_refused', batch: batch.id, status: answer.status })
  return isPassing ? 'wait' : 'end'
}

function chooseAccount(
  services: Services,
  model: string,
  accounts: readonly Account[],
): Account | null {
  const able = serving(accounts, model).filter(({ draining }) => !draining)
  const isOpen = ({ id }: Account): boolean =>
    knowledgeOf(services).isUsable(id, modelClass(model), services.now())
  const open = able.filter(isOpen)
  return open.find(({ backup }) => !backup) ?? open[0] ?? able[0] ?? null
}

const encoder = new TextEncoder()

/** Each request as it was sent. */
async function bodyOf({ jobBatches }: Services, jobs: readonly StoredJob[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [encoder.encode('{"requests":[')]
  for (const [at, stored] of jobs.entries()) {
    const head = `${at === 0 ? '' : ','}{"custom_id":${JSON.stringify(stored.job.id)},"params":`
    parts.push(encoder.encode(head), await jobBatches.readRequest(stored), encoder.encode('}'))
  }
  parts.push(encoder.encode(']}'))
  return concat(
    parts,
    parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
  )
}
