// Jobs as Durable Objects, one a tenant. Translates calls and failures: an object that cannot be reached, or does not
// answer in time, is a store that is not available.
import type { TenantJobs } from '../../../durable-objects/tenant-jobs.ts'
import { GatewayError } from '../../core/errors.ts'
import type { LogLine } from '../../ports.ts'
import type { JobBatchRuns, JobDesk, JobRuns, Jobs } from '../../ports/jobs.ts'
import { mergeDead, sumLanes } from '../jobs/dead-letters.ts'
import { jobsOver } from '../jobs/jobs-over.ts'
import type { JobsPlace } from '../jobs/jobs-place.ts'
import { separateWaits } from '../separate-waits.ts'

type Unreachable = (cause: unknown) => never
type JobsStub = DurableObjectStub<TenantJobs>
export type JobsNamespace = Pick<DurableObjectNamespace<TenantJobs>, 'getByName'>

const TIMEOUT_MS = 10_000
/** Objects that an operator's question goes to at a time. */
const ASKED_AT_ONCE = 20

export interface CloudflareJobsOptions {
  readonly namespace: JobsNamespace
  readonly db: Pick<D1Database, 'prepare'>
  readonly log: (line: LogLine) => void
}

export function cloudflareJobs(
  options: CloudflareJobsOptions,
): Jobs & JobRuns & JobBatchRuns & JobDesk {
  const { namespace, db, log } = options
  const unreachable: Unreachable = (cause) => {
    log({ event: 'jobs_unreachable', error: String(cause) })
    const message = "The store of this tenant's jobs cannot be reached"
    throw new GatewayError('store_unavailable', message, { cause })
  }
  const placeOf = (tenant: string): JobsPlace =>
    stubPlace(() => namespace.getByName(tenant), unreachable)
  const everyTenant = async (): Promise<readonly string[]> => {
    const { results } = await db
      .prepare('SELECT tenant FROM job_tenants ORDER BY tenant')
      .all<{ tenant: string }>()
      .catch(unreachable)
    return results.map(({ tenant }) => tenant)
  }
  const askEach = async <T>(
    tenants: readonly string[],
    ask: (place: JobsPlace) => T | Promise<T>,
  ): Promise<T[]> => {
    const answers: T[] = []
    for (let start = 0; start < tenants.length; start += ASKED_AT_ONCE) {
      const some = tenants.slice(start, start + ASKED_AT_ONCE)
      answers.push(...(await Promise.all(some.map((tenant) => ask(placeOf(tenant))))))
    }
    return answers
  }
  return {
    ...jobsOver(placeOf),
    counts: async () => sumLanes(await askEach(await everyTenant(), (place) => place.counts())),
    async listDead(filter, page) {
      const tenants = filter.tenant === null ? await everyTenant() : [filter.tenant]
      return mergeDead(await askEach(tenants, (place) => place.listDead(filter, page)), page)
    },
    redrive: async (tenant, ids) => placeOf(tenant).redrive(ids),
    purge: async (tenant, ids) => placeOf(tenant).purge(ids),
  }
}

/** A stub belongs to the request that made it, and is broken for good after an exception: one for each call. */
function stubPlace(open: () => JobsStub, unreachable: Unreachable): JobsPlace {
  const call = async <T>(ask: (stub: JobsStub) => Promise<T>, withinMs = TIMEOUT_MS): Promise<T> =>
    separateWaits.within(withinMs, ask(open())).catch(unreachable)
  return {
    begin: (...given) => call(async (stub) => stub.begin(...given)),
    putPiece: (piece) => call(async (stub) => stub.putPiece(piece)),
    submit: (submission) => call(async (stub) => stub.submit(submission)),
    look: (id) => call(async (stub) => stub.look(id)),
    list: (...given) => call(async (stub) => stub.list(...given)),
    readPiece: (...given) => call(async (stub) => stub.readPiece(...given)),
    cancel: (id) => call(async (stub) => stub.cancel(id)),
    claim: (...given) => call(async (stub) => stub.claim(...given)),
    hold: (id, claim) => call(async (stub) => stub.hold(id, claim), claim.leaseMs),
    finish: (...given) => call(async (stub) => stub.finish(...given)),
    told: (...given) => call(async (stub) => stub.told(...given)),
    claimBatch: (...given) => call(async (stub) => stub.claimBatch(...given)),
    sentBatch: (...given) => call(async (stub) => stub.sentBatch(...given)),
    waitForBatch: (...given) => call(async (stub) => stub.waitForBatch(...given)),
    endBatch: (...given) => call(async (stub) => stub.endBatch(...given)),
    counts: () => call(async (stub) => stub.counts()),
    listDead: (...given) => call(async (stub) => stub.listDead(...given)),
    redrive: (ids) => call(async (stub) => stub.redrive(ids)),
    purge: (ids) => call(async (stub) => stub.purge(ids)),
  }
}
