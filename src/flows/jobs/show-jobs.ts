// Jobs as their owners see them: listed, read with what came of them, canceled.
import { fieldOf, fieldsIn, printFields } from '../../core/conversation/json-parts.ts'
import { GatewayError } from '../../core/errors.ts'
import type { JobStatus } from '../../core/jobs/job.ts'
import type { Caller, Services } from '../../ports.ts'
import type { JobFilter, StoredJob } from '../../ports/jobs.ts'
import { expectOnly, parsePage, renderList } from '../admin/pages.ts'
import type { RequestScope } from '../call.ts'
import { ownerOf } from '../session-access.ts'
import { showDeliveryOf, showJob } from './show-job.ts'
import { tellEnd } from './tell-end.ts'

type Query = Readonly<Record<string, string>>

const STATUSES: readonly JobStatus[] = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'canceled',
  'expired',
]
const LANES = ['high', 'normal', 'low'] as const
const MAX_PAGE = 100

export async function listJobs({ jobs }: Services, caller: Caller, query: Query) {
  expectOnly(query, ['status', 'lane'])
  const filter: JobFilter = {
    status: oneOf(query, 'status', STATUSES),
    lane: oneOf(query, 'lane', LANES),
    owner: ownerOf(caller).user,
  }
  const page = parsePage(query, ['number', 'string'])
  const listed = await jobs.list(caller.tenant, filter, {
    ...page,
    limit: Math.min(page.limit, MAX_PAGE),
  })
  return renderList(listed, showJob)
}

function oneOf<T extends string>(query: Query, name: string, values: readonly T[]): T | null {
  const given = query[name]
  if (given === undefined) return null
  const value = values.find((each) => each === given)
  if (value !== undefined) return value
  throw new GatewayError('invalid_request', `${name}: expected one of ${values.join(', ')}`)
}

/** JSON text: what Claude answered is as it was. */
export async function readJob(services: Services, caller: Caller, id: string): Promise<string> {
  const stored = await findJob(services, caller, id)
  return printJob(services, stored)
}

/** Only what has not ended changes. */
export async function cancelJob(
  services: Services,
  caller: Caller,
  { id, scope }: { readonly id: string; readonly scope: RequestScope },
): Promise<string> {
  const before = await findJob(services, caller, id)
  const stored = await services.jobs.cancel(caller.tenant, id)
  if (stored === null) throw unknownJob(id)
  if (before.job.endedAt === null) scope.defer(tellEnd(services, stored))
  return printJob(services, stored)
}

async function findJob({ jobs }: Services, caller: Caller, id: string): Promise<StoredJob> {
  const stored = /^job_[\da-f]{24}$/.test(id) ? await jobs.find(caller.tenant, id) : null
  const { user } = ownerOf(caller)
  // What one may not see is not there.
  if (stored === null || (user !== null && stored.facts.owner !== user)) throw unknownJob(id)
  return stored
}

const unknownJob = (id: string): GatewayError =>
  new GatewayError('not_found', `There is no job ${id.slice(0, 64)}`)

async function printJob({ jobs, webhooks }: Services, stored: StoredJob): Promise<string> {
  const { job, facts } = stored
  const delivering =
    job.endedAt === null ? null : webhooks.deliveryOfJob(facts.tenant, job.id, job.round)
  // What became of it is worth more than who was told.
  const delivery = (await delivering?.catch(() => null)) ?? null
  const shown = { ...showJob(stored), ...showDeliveryOf(stored, delivery) }
  const fields = Object.entries(shown).map(([name, value]) => ({
    name,
    value: JSON.stringify(value),
  }))
  if (stored.resultPieces === 0) return printFields(fields)
  const result = new TextDecoder().decode(await jobs.readResult(stored))
  const usage = fieldOf(fieldsIn(result), 'usage')
  return printFields([
    ...fields,
    { name: 'result', value: result },
    ...(usage === undefined ? [] : [{ name: 'usage', value: usage }]),
  ])
}
