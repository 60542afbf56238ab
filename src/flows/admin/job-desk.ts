// What an operator sees of jobs and does with dead letters. No prompt and no answer is shown.
import { MOST_LETTERS, type lettersBody } from '../../core/admin/job-body.ts'
import { showTime, showTimeOrNull } from '../../core/admin/times.ts'
import type { Reader } from '../../core/admin/fields.ts'
import { GatewayError } from '../../core/errors.ts'
import type { Services } from '../../ports.ts'
import type { DeadFilter, LaneCounts, StoredJob } from '../../ports/jobs.ts'
import type { AdminRequest } from './open-admin.ts'
import { expectOnly, parsePage, renderList } from './pages.ts'

type Query = Readonly<Record<string, string>>
type Known<R> = R extends Reader<infer T> ? T : never
export type AskedLetters = Known<typeof lettersBody>

const LANES = ['high', 'normal', 'low'] as const
const RATE_MINUTES = 5

export async function showQueues({ jobDesk, now }: Services) {
  const counts = await jobDesk.counts()
  return { data: counts.map((lane) => showLane(lane, now())) }
}

const showLane = (counts: LaneCounts, now: number) => ({
  lane: counts.lane,
  depth: counts.queued,
  in_flight: counts.running,
  dead_letters: counts.dead,
  oldest_at: showTimeOrNull(counts.oldestAt),
  oldest_age_seconds:
    counts.oldestAt === null ? null : Math.max(0, Math.round((now - counts.oldestAt) / 1000)),
  in_per_minute: counts.cameIn / RATE_MINUTES,
  out_per_minute: counts.wentOut / RATE_MINUTES,
})

export async function listLetters({ jobDesk }: Services, query: Query) {
  expectOnly(query, ['tenant', 'lane'])
  const { tenant = null, lane: given } = query
  const lane = LANES.find((each) => each === given) ?? null
  if (given !== undefined && lane === null) {
    throw new GatewayError('invalid_request', `lane: expected one of ${LANES.join(', ')}`)
  }
  const page = parsePage(query, ['number', 'string'])
  return renderList(await jobDesk.listDead({ tenant, lane }, page), showLetter)
}

/** Nothing of what was asked: an operator need not read it. */
const showLetter = ({ job, facts }: StoredJob) => ({
  id: job.id,
  tenant: facts.tenant,
  key: facts.key,
  lane: job.lane,
  mode: job.mode,
  model: facts.model,
  attempts: job.attempts,
  redrives: job.round,
  error: job.error,
  created_at: showTime(job.createdAt),
  died_at: showTimeOrNull(job.endedAt),
  expires_at: showTimeOrNull(job.removeAt),
})

/** Says of how many; those that were no dead letters any more are not among them. */
export async function handleLetters(
  services: Services,
  admin: AdminRequest,
  { what, asked }: { readonly what: 'redrive' | 'purge'; readonly asked: AskedLetters },
) {
  const { ids, tenant, lane, all } = asked
  // What is purged is gone: that all are meant has to be said.
  if (what === 'purge' && (ids ?? tenant ?? lane) === undefined && all !== true) {
    throw new GatewayError('invalid_request', 'ids: expected ids, a tenant, a lane or all: true')
  }
  const chosen = await chooseLetters(services, asked)
  const done: string[] = []
  for (const [owner, letters] of chosen) {
    const some = await services.jobDesk[what](owner, letters)
    if (some.length === 0) continue
    done.push(...some)
    const event = { action: `dead_letters.${what}`, target: owner, tenant: owner }
    try {
      await admin.session.addEvent(
        { ...event, before: null, after: { jobs: some } },
        admin.write(null),
      )
    } catch (error) {
      services.log({ event: 'audit_missed', ...event, error: String(error) })
    }
  }
  return { [what === 'redrive' ? 'redriven' : 'purged']: done.length, ids: done }
}

/** By tenant. */
async function chooseLetters(
  { jobDesk }: Services,
  { ids, tenant, lane, limit = MOST_LETTERS }: AskedLetters,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const filter: DeadFilter = { tenant: tenant ?? null, lane: lane ?? null }
  const wanted = ids === undefined ? null : new Set(ids)
  const chosen = new Map<string, string[]>()
  let left = Math.min(limit, wanted?.size ?? limit)
  let after: Awaited<ReturnType<typeof jobDesk.listDead>>['next'] = null
  do {
    const { data, next } = await jobDesk.listDead(filter, { limit: MOST_LETTERS, after })
    for (const { job, facts } of data) {
      if (left === 0 || (wanted !== null && !wanted.has(job.id))) continue
      chosen.set(facts.tenant, [...(chosen.get(facts.tenant) ?? []), job.id])
      left -= 1
    }
    after = next
  } while (after !== null && left > 0)
  return chosen
}
